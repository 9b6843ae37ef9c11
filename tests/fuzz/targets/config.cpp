// Configuration files and the values in them.
#include "cli/command.hpp"
#include "cli/options.hpp"
#include "fuzz/target.hpp"

namespace h5score::fuzz {

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.ini");
  file.write(bytes);
  return refusing("", [&] {
    const auto options =
        cli::parse(cli::score_spec(), {"--model", "m.h5", "--output", "s.h5", "--config", file.path()});
    static_cast<void>(cli::score_options(options));
  });
}

std::vector<base::Bytes> seeds() {
  return {};
}

}  // namespace h5score::fuzz
