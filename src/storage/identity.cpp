// Compares the identity of a part file with that of the run that would continue it.
#include "h5score/base/error.hpp"
#include "h5score/storage/score_description.hpp"

#include <nlohmann/json.hpp>

namespace h5score::storage {
namespace {

using nlohmann::json;

constexpr std::size_t most_named = 3;
constexpr std::size_t longest_value = 80;

json parse(const std::string& text, const std::string& whose) {
  try {
    return json::parse(text);
  } catch (const json::exception& error) {
    throw base::Error(base::ExitCode::data, whose + " is not valid JSON", error.what());
  }
}

std::string shown(const json& fields, const std::string& name) {
  const auto found = fields.find(name);
  if (found == fields.end()) return "absent";
  std::string text = found->dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > longest_value) text = text.substr(0, longest_value) + "...";
  return text;
}

}  // namespace

void require_same_identity(const std::string& part_path, const std::string& in_part, const std::string& now) {
  const json there = parse(in_part, part_path + ": the identity").flatten();
  const json here = parse(now, "the identity of this run").flatten();
  json names = there;
  names.update(here);
  std::string differences;
  std::size_t count = 0;
  for (const auto& [name, unused] : names.items()) {
    if (there.contains(name) && here.contains(name) && there[name] == here[name]) continue;
    if (++count > most_named) continue;
    if (count > 1) differences += "; ";
    differences += name.substr(1) + ": there " + shown(there, name) + ", now " + shown(here, name);
  }
  if (count > most_named) differences += "; and " + std::to_string(count - most_named) + " more";
  if (count > 0)
    throw base::Error(base::ExitCode::usage, part_path + ": this run cannot continue it", differences,
                      "run with the same model, input and options, or start anew with --overwrite");
}

}  // namespace h5score::storage
