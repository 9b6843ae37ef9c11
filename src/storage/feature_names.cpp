// Where names of columns come from when the table has none.
#include "feature_names.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/name_list.hpp"

#include "array_names.hpp"
#include "name_node_calls.hpp"

#include <filesystem>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

bool is_file(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored);
}

}  // namespace

GivenNames given_names(h5::Sandbox& name_node, const std::string& option) {
  if (option.empty()) return {};
  if (is_file(option)) return {base::read_name_list(option), {}, option};
  const auto colon = option.rfind(":/");
  if (colon != std::string::npos) {
    const std::string path = option.substr(0, colon);
    const NamesRequest request{path, option.substr(colon + 1)};
    auto names =
        base::from_bytes<std::vector<std::string>>(name_node.call("storage.names", base::to_bytes(request), path));
    if (names.empty()) throw Error(ExitCode::data, option + ": holds no names");
    ColumnNames columns{std::move(names), option};
    tell_apart(columns, {});
    return {std::move(columns.names), {}, std::move(columns.from)};
  }
  if (option[0] == '/') return {{}, option, option};
  throw Error(ExitCode::no_input, "--feature-names " + option + ": there is no such file", "",
              "give a text file, /dataset or FILE.h5:/dataset");
}

}  // namespace h5score::storage
