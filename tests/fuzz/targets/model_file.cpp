// Model files of the formats that are parsed without HDF5: LIBSVM, ONNX.
#include "h5score/format/format.hpp"

#include "fuzz/model_use.hpp"
#include "fuzz/target.hpp"

namespace h5score::fuzz {

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.model");
  // HDF5 files belong to the target that has a name node.
  if (text_of(bytes.first(std::min<std::size_t>(bytes.size(), 1 << 20))).find("\x89HDF") != std::string::npos)
    return Outcome::refused;
  file.write(bytes);
  return refusing(file.path(), [&] { use_model(format::load_model(file.path())); });
}

std::vector<base::Bytes> seeds() {
  return {};
}

}  // namespace h5score::fuzz
