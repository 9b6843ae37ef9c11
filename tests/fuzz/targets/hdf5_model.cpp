// Model files that are HDF5, or hold it: native ones, Keras .h5 and .keras. Loaded in a name node, evaluated here.
#include "h5score/base/archive.hpp"
#include "h5score/format/format.hpp"

#include "fuzz/model_use.hpp"
#include "fuzz/name_node.hpp"

namespace h5score::fuzz {

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.h5");
  static NameNode node({{"load_model", [](base::ByteView request) {
                           return base::to_bytes(format::load_model(base::from_bytes<std::string>(request)));
                         }}});
  file.write(bytes);
  return node.use(file.path(), [&](h5::Sandbox& name_node) {
    const auto reply = name_node.call("load_model", base::to_bytes(file.path()), file.path());
    use_model(base::from_bytes<model::Model>(reply));
  });
}

std::vector<base::Bytes> seeds() {
  return {};
}

}  // namespace h5score::fuzz
