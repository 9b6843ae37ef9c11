// Compares the identity of a part file with that of the run that would continue it.
#include "h5score/base/error.hpp"
#include "h5score/storage/score_description.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

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

std::vector<IdentityDifference> identity_differences(const std::string& part_path, const std::string& in_part,
                                                     const std::string& now) {
  const json there = parse(in_part, part_path + ": the identity").flatten();
  const json here = parse(now, "the identity of this run").flatten();
  json names = there;
  names.update(here);
  std::vector<IdentityDifference> differences;
  for (const auto& [name, unused] : names.items())
    if (!there.contains(name) || !here.contains(name) || there[name] != here[name])
      differences.push_back({name.substr(1), shown(there, name), shown(here, name)});
  return differences;
}

std::string to_text(const std::vector<IdentityDifference>& differences) {
  std::string text;
  for (std::size_t i = 0; i < std::min(differences.size(), most_named); ++i) {
    const auto& d = differences[i];
    text += (i == 0 ? "" : "; ") + d.field + ": there " + d.there + ", now " + d.now;
  }
  if (differences.size() > most_named) text += "; and " + std::to_string(differences.size() - most_named) + " more";
  return text;
}

void require_same_identity(const std::string& part_path, const std::string& in_part, const std::string& now) {
  const auto differences = identity_differences(part_path, in_part, now);
  if (!differences.empty())
    throw base::Error(base::ExitCode::usage, part_path + ": this run cannot continue it", to_text(differences),
                      "run with the same model, input and options, or start anew with --overwrite");
}

}  // namespace h5score::storage
