// Drives the input path for tests/storage/test_input.py: reads rows through name node, fetch and decode, and writes
// them as raw float64 beside a JSON summary.
//   decode_driver rows OUT [--input P]... [--dataset D] [--features F] [--rows A:B] [--passthrough NAME]... [--block N]
//                 [--threads N] [--float]
//   decode_driver inspect FILE
// DECODE_DRIVER_CPU: seconds of CPU time that the name node gets for one request (default 60).
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/thread_pool.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/name_node.hpp"

#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <vector>

namespace {

using h5score::base::Error;
using h5score::base::RowRange;
using h5score::base::u64;
namespace storage = h5score::storage;

struct Arguments {
  storage::InputOptions input;
  std::string out;
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
    if (name == "--features") a.input.features = value;
    if (name == "--rows") a.input.rows = value;
    if (name == "--passthrough") a.input.passthrough.push_back(value);
    if (name == "--block") a.block = std::stoull(value);
    if (name == "--threads") a.threads = std::stoull(value);
  }
  return a;
}

// Blocks of about `rows` rows that do not cross files.
std::vector<RowRange> blocks_of(const storage::Input& input, u64 rows) {
  std::vector<RowRange> blocks;
  for (const auto& file : input.files())
    for (u64 row = 0; row < file.rows; row += rows)
      blocks.push_back({file.first_row + row, file.first_row + std::min(file.rows, row + rows)});
  return blocks;
}

template <class T>
void write_tile(const storage::DecodedBlock& block, std::ofstream& out) {
  const u64 stride = block.features() + 3;
  std::vector<T> tile(block.rows() * stride, T{-1});
  block.fill_tile(0, block.rows(), tile.data(), stride);
  std::vector<double> row(block.features());
  for (u64 r = 0; r < block.rows(); ++r) {
    const T* from = tile.data() + r * stride;
    std::copy(from, from + block.features(), row.begin());
    for (u64 pad = block.features(); pad < stride; ++pad)
      if (from[pad] != T{0}) throw Error(h5score::base::ExitCode::internal, "padding is not zero");
    out.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size() * sizeof(double)));
  }
}

nlohmann::json summary(const storage::Input& input) {
  nlohmann::json json{{"rows", input.rows()},
                      {"features", input.format().features},
                      {"stored_features", input.format().stored_features},
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
  const std::chrono::duration<double> opening = std::chrono::steady_clock::now() - start;
  const storage::Decoder decoder(
      h5score::base::from_bytes<storage::RowFormat>(h5score::base::to_bytes(input.format())));
  storage::DecodedBlock block;
  h5score::base::AlignedBuffer payload;
  h5score::base::ThreadPool pool(arguments.threads);
  std::ofstream out(arguments.out, std::ios::binary);
  std::vector<std::ofstream> columns;
  for (std::size_t i = 0; i < arguments.input.passthrough.size(); ++i)
    columns.emplace_back(arguments.out + ".p" + std::to_string(i), std::ios::binary);
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
    if (arguments.narrow)
      write_tile<float>(block, out);
    else
      write_tile<double>(block, out);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto bytes = block.passthrough(i);
      columns[i].write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
  }
  input.check_unchanged();
  auto json = summary(input);
  json["open_seconds"] = opening.count();
  json["polls"] = polls;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  json["peak_kib"] = usage.ru_maxrss;
  std::cout << json << '\n';
  return 0;
}

int inspect(h5score::h5::Sandbox& name_node, const std::string& path) {
  auto json = nlohmann::json::array();
  for (const auto& d : storage::describe_file(name_node, path))
    json.push_back({{"name", d.facts.name},
                    {"shape", d.facts.shape},
                    {"type", d.facts.type_name},
                    {"chunk", d.facts.chunk},
                    {"layout", to_string(d.facts.layout)},
                    {"stored", d.facts.stored_bytes},
                    {"reading", d.reading},
                    {"refusal", d.refusal},
                    {"candidate", d.candidate}});
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
