// Input files: opened through a name node, then fetched and decoded in this process, as the ranks do, by both I/O
// modes.
#include "h5score/base/archive.hpp"
#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/name_node.hpp"

#include "fuzz/name_node.hpp"

#include <algorithm>

namespace h5score::fuzz {
namespace {

using base::u64;

// What a run of a small model would bind, and refuses to hold in memory.
constexpr u64 most_columns = 64;
constexpr u64 most_block_bytes = u64{64} << 20;

void decode(storage::Input& input, const storage::Decoder& decoder, base::RowRange rows) {
  if (input.payload_bound(rows) > most_block_bytes || input.decoded_bytes(rows) > most_block_bytes) return;
  base::AlignedBuffer payload;
  storage::DecodedBlock block;
  input.fetch(rows, payload);
  decoder.open(payload.view(), block);
  const u64 features = block.features(0);
  std::vector<double> tile(block.rows() * (features + 1));
  block.fill_tile(0, 0, block.rows(), tile.data(), features + 1);
  if (input.assignment_bound(rows) > most_block_bytes) return;
  base::AlignedBuffer assignment;
  input.assign(rows, assignment);
  const auto files = input.identities();
  storage::BlockReader reader(decoder, files, "here");
  reader.open(assignment.view());
  while (reader.next()) static_cast<void>(reader.rows().rows());
}

void read(h5::Sandbox& name_node, const std::string& path, const std::string& dataset) {
  storage::InputOptions options;
  options.inputs = {path};
  options.dataset = dataset;
  storage::Input input(name_node, options);
  storage::Binding binding;
  for (u64 column = 0; column < std::min(input.table().columns, most_columns); ++column)
    binding.features.push_back({.column = column});
  input.bind({std::move(binding)}, {});
  static_cast<void>(input.spans());
  const storage::Decoder decoder(base::from_bytes<storage::RowFormat>(base::to_bytes(input.format())));
  for (const auto& file : input.files()) {
    constexpr u64 rows = 50;
    decode(input, decoder, {file.first_row, file.first_row + std::min(rows, file.rows)});
    if (file.rows > rows) decode(input, decoder, {file.first_row + file.rows - rows, file.first_row + file.rows});
  }
}

}  // namespace

Outcome run(base::ByteView bytes) {
  static const InputFile file("fuzz.h5");
  static NameNode node(storage::storage_functions());
  file.write(bytes);
  const auto outcome = node.use(file.path(), [&](h5::Sandbox& name_node) { read(name_node, file.path(), ""); });
  static_cast<void>(node.use(file.path(), [&](h5::Sandbox& name_node) {
    const auto contents = storage::describe_file(name_node, file.path());
    if (!contents.datasets.empty()) read(name_node, file.path(), contents.datasets.front().facts.name);
  }));
  return outcome;
}

std::vector<base::Bytes> seeds() {
  return {};
}

}  // namespace h5score::fuzz
