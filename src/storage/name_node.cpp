// The name node's side of reading inputs: it runs in the sandbox and answers with flat descriptions.
#include "h5score/storage/name_node.hpp"

#include "h5score/base/error.hpp"

#include "name_node_calls.hpp"
#include "reading.hpp"

#include <list>
#include <memory>

namespace h5score::storage {
namespace {

using base::Bytes;
using base::ByteView;
using base::ElementKind;
using base::ElementType;
using base::Error;
using base::ExitCode;
using h5::DatasetFacts;

std::string choose_dataset(const std::string& path) {
  const auto fitting = candidates(h5::describe_all_datasets(path));
  if (fitting.size() == 1) return fitting.front().name;
  if (fitting.empty())
    throw Error(ExitCode::data, path + ": no dataset fits", "none holds rows of numbers",
                "`h5score inspect` shows what the file holds");
  constexpr std::size_t most_listed = 20;
  std::string list;
  for (std::size_t i = 0; i < fitting.size() && i < most_listed; ++i)
    list += (i == 0 ? "" : ", ") + fitting[i].name + " " + shape_text(fitting[i]);
  if (fitting.size() > most_listed) list += ", and " + std::to_string(fitting.size() - most_listed) + " more";
  throw Error(ExitCode::usage, path + ": " + std::to_string(fitting.size()) + " datasets fit", list,
              "choose one with --dataset");
}

void require(const std::string& path, const DatasetFacts& facts, Role role) {
  if (const std::string why = refusal(facts, role); !why.empty())
    throw Error(
        ExitCode::data,
        path + ": dataset '" + facts.name + "' cannot be " + (role == Role::features ? "scored" : "passed through"),
        why, facts.missing.empty() ? "" : "install its plugin and set HDF5_PLUGIN_PATH");
  if (const auto missing = h5::missing_sources(facts); !missing.empty())
    throw Error(ExitCode::no_input, path + ": virtual dataset '" + facts.name + "' lacks a source file",
                missing.front(), "HDF5 would give fill values for its rows");
}

// A passthrough column is looked for beside the features' dataset, then from the root.
DatasetFacts describe_column(const std::string& path, const std::string& features, const std::string& name) {
  if (name.empty()) throw Error(ExitCode::usage, "--passthrough names an empty column");
  const std::string folder = features.substr(0, features.rfind('/') + 1);
  if (name[0] != '/' && folder != "/") {
    try {
      return h5::describe_dataset(path, folder + name);
    } catch (const Error&) {
      return h5::describe_dataset(path, "/" + name);
    }
  }
  return h5::describe_dataset(path, name[0] == '/' ? name : "/" + name);
}

DatasetFacts passthrough_column(const std::string& path, const DatasetFacts& features, const std::string& name) {
  auto facts = describe_column(path, features.name, name);
  if (facts.variable_string && refusal(facts, Role::passthrough).empty())
    facts.read_as = ElementType{
        .kind = ElementKind::fixed_string, .size = h5::RowReader(facts).longest_string(), .utf8 = facts.utf8};
  require(path, facts, Role::passthrough);
  if (facts.shape[0] != features.shape[0])
    throw Error(
        ExitCode::data, path + ": passthrough column '" + facts.name + "' has another length than the rows",
        std::to_string(facts.shape[0]) + " against " + std::to_string(features.shape[0]) + " of " + features.name);
  return facts;
}

Bytes describe(ByteView bytes) {
  const auto request = base::from_bytes<DescribeRequest>(bytes);
  const std::string dataset = request.dataset.empty() ? choose_dataset(request.path) : request.dataset;
  FileFacts file;
  file.arrays.push_back(h5::describe_dataset(request.path, dataset));
  require(request.path, file.arrays.front(), Role::features);
  for (const auto& name : request.passthrough)
    file.arrays.push_back(passthrough_column(request.path, file.arrays.front(), name));
  return base::to_bytes(file);
}

Bytes map(ByteView bytes) {
  const auto request = base::from_bytes<MapRequest>(bytes);
  return base::to_bytes(h5::map_chunks(request.facts, request.first, request.count));
}

Bytes list(ByteView bytes) {
  return base::to_bytes(h5::describe_all_datasets(base::from_bytes<std::string>(bytes)));
}

// Keeps the datasets that were read last open: opening one costs milliseconds.
class Reads {
 public:
  Bytes operator()(ByteView bytes) {
    const auto request = base::from_bytes<ReadRequest>(bytes);
    return reader(request.facts).read(request.rows, *request.facts.read_as);
  }

 private:
  static constexpr std::size_t most_open = 16;
  struct Entry {
    std::string file;
    std::string name;
    h5::RowReader reader;
  };
  h5::RowReader& reader(const DatasetFacts& facts) {
    for (auto i = open_.begin(); i != open_.end(); ++i) {
      if (i->file != facts.file || i->name != facts.name) continue;
      open_.splice(open_.begin(), open_, i);
      return open_.front().reader;
    }
    open_.push_front({facts.file, facts.name, h5::RowReader(facts)});
    if (open_.size() > most_open) open_.pop_back();
    return open_.front().reader;
  }
  std::list<Entry> open_;
};

}  // namespace

std::map<std::string, h5::Sandbox::Function> storage_functions() {
  return {{"storage.describe", describe},
          {"storage.map", map},
          {"storage.list", list},
          {"storage.read", [reads = std::make_shared<Reads>()](ByteView request) { return (*reads)(request); }}};
}

std::vector<DatasetDescription> describe_file(h5::Sandbox& name_node, const std::string& path) {
  const auto all =
      base::from_bytes<std::vector<DatasetFacts>>(name_node.call("storage.list", base::to_bytes(path), path));
  const auto fitting = candidates(all);
  std::vector<DatasetDescription> descriptions;
  for (const auto& facts : all) {
    DatasetDescription description;
    description.facts = facts;
    description.refusal = refusal(facts, Role::features);
    if (description.refusal.empty()) description.reading = reading_text(facts);
    for (const auto& candidate : fitting) description.candidate |= candidate.name == facts.name;
    descriptions.push_back(std::move(description));
  }
  return descriptions;
}

}  // namespace h5score::storage
