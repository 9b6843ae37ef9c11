// Descriptions of Keras networks, beside a sound file of weights.
#include "h5score/format/format.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/h5/library.hpp"

#include "fuzz/model_use.hpp"
#include "fuzz/target.hpp"

namespace h5score::fuzz {
namespace {

// What model.save_weights() of Keras 3 writes for two dense layers and a normalisation.
void write_weights(const std::string& path) {
  const h5::Handle file = h5::create_file(path);
  const auto layer = [&](const std::string& name, const std::vector<std::vector<base::u64>>& shapes) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      base::u64 n = 1;
      for (const base::u64 extent : shapes[i]) n *= extent;
      h5::write_doubles(file, "layers/" + name + "/vars/" + std::to_string(i), shapes[i], std::vector<double>(n, 0.25));
    }
  };
  layer("dense", {{4, 3}, {3}});
  layer("batch_normalization", {{3}, {3}, {3}, {3}});
  layer("dense_1", {{3, 2}, {2}});
}

}  // namespace

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.json");
  static const bool ready = [] {
    h5::initialise();
    write_weights(file.path().substr(0, file.path().size() - 5) + ".weights.h5");
    return true;
  }();
  static_cast<void>(ready);
  if (bytes.empty() || text_of(bytes).find("\x89HDF") != std::string::npos) return Outcome::refused;
  file.write(bytes);
  return refusing(file.path(), [&] { use_model(format::load_model(file.path())); });
}

std::vector<base::Bytes> seeds() {
  return {};
}

}  // namespace h5score::fuzz
