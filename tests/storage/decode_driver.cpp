// Drives the input path for tests/storage/test_input.py: reads rows through name node, fetch and decode, and writes
// them as raw float64 beside a JSON summary.
//   decode_driver rows OUT [--input P]... [--dataset D] [--bind JSON] [--rows A:B] [--passthrough NAME]... [--block N]
//                 [--threads N] [--float] [--feature-names P]
// Every block is also read by its assignment, in pieces and as a whole: all must be the same bytes.
// JSON: {"features": [3, "name", [2, 5], null, ...], "total": T, "missing": [...], "fills": {"column": value}}: columns
// by number or name, differences, missing constants; without it all columns in order.
//   decode_driver inspect FILE
// DECODE_DRIVER_CPU: seconds of CPU time that the name node gets for one request (default 60).
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/peak_memory.hpp"
#include "h5score/base/thread_pool.hpp"
#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/name_node.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <limits>
#include <vector>

namespace {

using h5score::base::Error;
using h5score::base::RowRange;
using h5score::base::u64;
namespace storage = h5score::storage;

struct Arguments {
  storage::InputOptions input;
  std::string out;
  nlohmann::json bind;
  u64 block = 1000;
  u64 threads = 1;
  bool narrow = false;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  a.out = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--float") {
      a.narrow = true;
      continue;
    }
    if (i + 1 >= argc) throw Error(h5score::base::ExitCode::usage, name + " has no value");
    const std::string value = argv[++i];
    if (name == "--input") a.input.inputs.push_back(value);
    if (name == "--dataset") a.input.dataset = value;
    if (name == "--feature-names") a.input.feature_names = value;
    if (name == "--bind") a.bind = nlohmann::json::parse(value);
    if (name == "--rows") a.input.rows = value;
    if (name == "--passthrough") a.input.passthrough.push_back(value);
    if (name == "--block") a.block = std::stoull(value);
    if (name == "--threads") a.threads = std::stoull(value);
  }
  return a;
}

u64 column_of(const storage::SourceTable& table, const nlohmann::json& named) {
  if (named.is_number()) return named.get<u64>();
  const auto name = named.get<std::string>();
  const auto found = std::find(table.names.begin(), table.names.end(), name);
  if (found == table.names.end()) throw Error(h5score::base::ExitCode::usage, "there is no column " + name);
  return static_cast<u64>(found - table.names.begin());
}

storage::FeatureSource source_of(const storage::SourceTable& table, const nlohmann::json& named) {
  storage::FeatureSource source;
  if (named.is_null()) {
    source.constant = std::numeric_limits<double>::quiet_NaN();
  } else if (named.is_array()) {
    source.column = column_of(table, named[0]);
    source.minus = column_of(table, named[1]);
  } else {
    source.column = column_of(table, named);
  }
  return source;
}

void bind_columns(storage::Input& input, const nlohmann::json& json) {
  const auto& table = input.table();
  storage::Binding binding;
  storage::Treatment treatment;
  if (json.contains("features"))
    for (const auto& feature : json["features"]) binding.features.push_back(source_of(table, feature));
  else
    for (u64 column = 0; column < table.columns; ++column) binding.features.push_back({.column = column});
  binding.total_count = json.value("total", 0.0);
  if (json.contains("missing")) treatment.missing = json["missing"].get<std::vector<double>>();
  if (json.contains("fills"))
    for (const auto& [name, value] : json["fills"].items())
      treatment.fills.push_back({column_of(table, name), value.get<double>()});
  input.bind({std::move(binding)}, std::move(treatment));
}

// Blocks of about `rows` rows that do not cross files.
std::vector<RowRange> blocks_of(const storage::Input& input, u64 rows) {
  std::vector<RowRange> blocks;
  for (const auto& file : input.files())
    for (u64 row = 0; row < file.rows; row += rows)
      blocks.push_back({file.first_row + row, file.first_row + std::min(file.rows, row + rows)});
  return blocks;
}

[[noreturn]] void differ(const std::string& what) {
  throw Error(h5score::base::ExitCode::internal, what);
}

std::vector<char> bytes_of(h5score::base::ByteView bytes) {
  std::vector<char> copy(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

// The rows where they lie must be those that were copied.
template <class T>
void check_in_place(const storage::DecodedBlock& block, const std::vector<T>& tile, u64 stride) {
  const auto rows = block.in_place<T>(0);
  for (u64 r = 0; rows.first != nullptr && r < block.rows(); ++r)
    if (std::memcmp(rows.first + r * rows.stride, tile.data() + r * stride, block.features(0) * sizeof(T)) != 0)
      differ("rows in place are others");
}

// All features as float64.
template <class T>
std::vector<char> features_of(const storage::DecodedBlock& block) {
  const u64 features = block.features(0);
  const u64 stride = features + 3;
  std::vector<T> tile(block.rows() * stride, T{-1});
  block.fill_tile(0, 0, block.rows(), tile.data(), stride);
  check_in_place(block, tile, stride);
  std::vector<double> values;
  for (u64 r = 0; r < block.rows(); ++r) {
    const T* from = tile.data() + r * stride;
    values.insert(values.end(), from, from + features);
    for (u64 pad = features; pad < stride; ++pad)
      if (from[pad] != T{0}) differ("padding is not zero");
  }
  return bytes_of(std::as_bytes(std::span(values)));
}

// A block's features, then its passthrough columns.
using Columns = std::vector<std::vector<char>>;

Columns columns_of(const storage::DecodedBlock& block, bool narrow, u64 passthrough) {
  Columns columns{narrow ? features_of<float>(block) : features_of<double>(block)};
  for (u64 i = 0; i < passthrough; ++i) columns.push_back(bytes_of(block.passthrough(i)));
  return columns;
}

// Reads blocks as another rank would.
class Direct {
 public:
  Direct(storage::Input& input, const storage::Decoder& decoder)
      : input_(input), decoder_(decoder), files_(input.identities()), reader_(decoder, files_, "here") {}

  void compare(RowRange rows, const Columns& expected, bool narrow) {
    input_.assign(rows, assignment_);
    if (assignment_.size() != input_.assignment_bound(rows)) differ("the assignment's bound is not exact");
    reader_.fetch(assignment_.view(), payload_);
    decoder_.open(payload_.view(), whole_);
    if (columns_of(whole_, narrow, expected.size() - 1) != expected) differ("an assigned payload holds other rows");
    reader_.open(assignment_.view());
    Columns pieces(expected.size());
    u64 next = 0;
    while (reader_.next()) {
      if (reader_.range().begin != next || next % 256 != 0) differ("pieces do not follow each other");
      next = reader_.range().end;
      const Columns piece = columns_of(reader_.rows(), narrow, expected.size() - 1);
      for (std::size_t i = 0; i < piece.size(); ++i)
        pieces[i].insert(pieces[i].end(), piece[i].begin(), piece[i].end());
      ++pieces_;
    }
    if (next != rows.size() || pieces != expected) differ("pieces hold other rows");
  }
  [[nodiscard]] u64 pieces() const { return pieces_; }

 private:
  storage::Input& input_;
  const storage::Decoder& decoder_;
  std::vector<storage::FileIdentity> files_;
  storage::BlockReader reader_;
  h5score::base::AlignedBuffer assignment_;
  h5score::base::AlignedBuffer payload_;
  storage::DecodedBlock whole_;
  u64 pieces_ = 0;
};

nlohmann::json summary(const storage::Input& input) {
  nlohmann::json json{{"rows", input.rows()},
                      {"features", input.format().bindings[0].features.size()},
                      {"kind", static_cast<int>(input.table().kind)},
                      {"names", input.table().names},
                      {"row_shape", input.table().row_shape},
                      {"types", input.format().types()},
                      {"narrows", input.format().narrows_to_float()},
                      {"formats", input.format().formats.size()},
                      {"bytes_read", input.bytes_read()}};
  for (const auto& file : input.files())
    json["files"].push_back({{"path", file.path},
                             {"dataset", file.dataset},
                             {"first_row", file.first_row},
                             {"rows", file.rows},
                             {"dataset_row", file.dataset_row},
                             {"size", file.size}});
  for (const auto& span : input.spans())
    json["spans"].push_back({{"rows", span.rows},
                             {"chunk_rows", span.chunk_rows},
                             {"phase", span.phase},
                             {"payload", span.payload_bytes_per_row},
                             {"decoded", span.decoded_bytes_per_row}});
  for (const auto& format : input.format().formats) json["access"].push_back(static_cast<int>(format.arrays[0].access));
  for (const auto& column : input.format().passthrough)
    json["passthrough"].push_back(
        {{"name", column.name}, {"type", to_string(column.type)}, {"bytes", column.row_bytes()}});
  return json;
}

int rows(h5score::h5::Sandbox& name_node, const Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  storage::Input input(name_node, arguments.input);
  bind_columns(input, arguments.bind.is_null() ? nlohmann::json::object() : arguments.bind);
  const std::chrono::duration<double> opening = std::chrono::steady_clock::now() - start;
  const storage::Decoder decoder(
      h5score::base::from_bytes<storage::RowFormat>(h5score::base::to_bytes(input.format())));
  storage::DecodedBlock block;
  h5score::base::AlignedBuffer payload;
  h5score::base::ThreadPool pool(arguments.threads);
  Direct direct(input, decoder);
  std::vector<std::ofstream> outs;
  outs.emplace_back(arguments.out, std::ios::binary);
  for (std::size_t i = 0; i < arguments.input.passthrough.size(); ++i)
    outs.emplace_back(arguments.out + ".p" + std::to_string(i), std::ios::binary);
  u64 polls = 0;
  for (const auto& range : blocks_of(input, arguments.block)) {
    input.fetch(range, payload, [&] { ++polls; });
    if (payload.size() != input.payload_bound(range))
      throw Error(h5score::base::ExitCode::internal, "the payload bound is not exact");
    if (arguments.threads == 1)
      decoder.open(payload.view(), block, [&] { ++polls; });
    else
      pool.run(
          decoder.tasks(payload.view(), block), [&](u64 task, u64) { decoder.decode(task, block); }, [] {});
    const Columns columns = columns_of(block, arguments.narrow, outs.size() - 1);
    for (std::size_t i = 0; i < columns.size(); ++i)
      outs[i].write(columns[i].data(), static_cast<std::streamsize>(columns[i].size()));
    direct.compare(range, columns, arguments.narrow);
  }
  input.check_unchanged();
  auto json = summary(input);
  json["pieces"] = direct.pieces();
  json["open_seconds"] = opening.count();
  json["polls"] = polls;
  json["peak_kib"] = h5score::base::peak_memory_bytes() / 1024;
  std::cout << json << '\n';
  return 0;
}

int inspect(h5score::h5::Sandbox& name_node, const std::string& path) {
  const auto file = storage::describe_file(name_node, path);
  nlohmann::json json{{"datasets", nlohmann::json::array()}, {"tables", nlohmann::json::array()}};
  for (const auto& d : file.datasets)
    json["datasets"].push_back({{"name", d.facts.name},
                                {"shape", d.facts.shape},
                                {"type", d.facts.type_name},
                                {"chunk", d.facts.chunk},
                                {"layout", to_string(d.facts.layout)},
                                {"stored", d.facts.stored_bytes},
                                {"reading", d.reading},
                                {"refusal", d.refusal},
                                {"candidate", d.candidate}});
  for (const auto& t : file.tables)
    json["tables"].push_back({{"name", t.dataset},
                              {"kind", static_cast<int>(t.kind)},
                              {"rows", t.rows},
                              {"names", t.names},
                              {"left_out", t.left_out},
                              {"refusal", t.refusal},
                              {"candidate", t.candidate}});
  std::cout << json << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const char* seconds = std::getenv("DECODE_DRIVER_CPU");
    h5score::h5::Sandbox name_node(
        storage::storage_functions(),
        {.cpu_per_request = std::chrono::seconds(seconds == nullptr ? 60 : std::stoi(seconds))});
    const std::string command = argc > 2 ? argv[1] : "";
    if (command == "rows") return rows(name_node, parse(argc, argv));
    if (command == "inspect") return inspect(name_node, argv[2]);
    throw Error(h5score::base::ExitCode::usage, "rows or inspect expected");
  } catch (const Error& error) {
    std::cerr << "h5score: " << error.what() << '\n';
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::cerr << "h5score: " << error.what() << '\n';
    return 70;
  }
}
