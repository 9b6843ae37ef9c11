// What travels between processes as base::archive bytes: the answers of a name node that a damaged file has taken over,
// payloads, assignments, models, descriptions of part files. The first byte chooses which.
#include "h5score/base/archive.hpp"
#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/score_description.hpp"

#include "fuzz/model_use.hpp"
#include "fuzz/target.hpp"
#include "storage/assigned_block.hpp"
#include "storage/name_node_calls.hpp"
#include "storage/score_layout.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace h5score::fuzz {
namespace {

using base::Bytes;
using base::ByteView;
using base::Error;
using base::u64;
namespace st = storage;

// Messages are ours: where they are malformed, code 70 is right, too.
Outcome decoding(const std::function<void()>& use) {
  try {
    use();
    return Outcome::used;
  } catch (const Error&) {
    return Outcome::refused;
  } catch (const std::bad_alloc&) {
    throw std::logic_error("memory was asked for without a bound");
  } catch (const std::length_error&) {
    throw std::logic_error("memory was asked for without a bound");
  }
}

st::ArrayFormat array(std::vector<u64> chunk, std::vector<h5::Filter> filters) {
  return {.dataset = "/x",
          .type = {.kind = base::ElementKind::floating, .size = 4},
          .record_bytes = 0,
          .row_shape = {4},
          .access = chunk.empty() ? st::Access::contiguous : st::Access::chunked,
          .chunk = std::move(chunk),
          .filters = std::move(filters),
          .fill = Bytes(4, std::byte{1}),
          .packing = {}};
}

// One file in each of these forms; a payload says which.
st::RowFormat format_of_run() {
  const h5::Filter shuffle{h5::Filter::shuffle, "shuffle", {4}};
  const h5::Filter deflate{h5::Filter::deflate, "gzip", {6}};
  const h5::Filter lzf{h5::Filter::lzf, "lzf", {4, 261, 32}};
  const h5::Filter sum{h5::Filter::fletcher32, "fletcher32", {}};
  st::RowFormat run;
  run.columns = 4;
  run.bindings.emplace_back();
  for (u64 column = 0; column < run.columns; ++column) run.bindings[0].features.push_back({.column = column});
  for (auto one : {array({}, {}), array({2, 3}, {}), array({4, 4}, {shuffle, deflate}), array({3, 2}, {lzf, sum})})
    run.formats.emplace_back().arrays = {std::move(one)};
  return run;
}

const st::Decoder& decoder() {
  static const st::Decoder made{format_of_run()};
  return made;
}

void use_block(const st::DecodedBlock& block) {
  constexpr u64 most_rows = 100'000;
  if (block.rows() > most_rows) return;
  std::vector<double> tile(block.rows() * 5);
  block.fill_tile(0, 0, block.rows(), tile.data(), 5);
}

Outcome payload(ByteView bytes) {
  base::AlignedBuffer buffer;
  buffer.resize(bytes.size());
  if (!bytes.empty()) std::memcpy(buffer.span().data(), bytes.data(), bytes.size());
  return decoding([&] {
    st::DecodedBlock block;
    decoder().open(buffer.view(), block);
    use_block(block);
  });
}

Outcome assignment(ByteView bytes) {
  return decoding([&] {
    st::AssignedBlock block;
    block.open(bytes, decoder().format(), 1);
    st::Assignment part;
    for (u64 begin = 0, pieces = 0; begin < block.rows() && pieces < 100; ++pieces) {
      const u64 end = block.piece_end(begin);
      if (end <= begin || end > block.rows()) throw std::logic_error("a piece does not move on");
      block.cut({begin, end}, part, [](const auto&, u64, u64) { return false; });
      begin = end;
    }
  });
}

Outcome part_description(ByteView bytes) {
  return decoding([&] {
    const auto part = base::from_bytes<st::ScoreDescription>(bytes);
    st::layout::require_consistent(part);
    static_cast<void>(part.rows_done());
  });
}

Outcome model_message(ByteView bytes) {
  return decoding([&] {
    const auto model = base::from_bytes<model::Model>(bytes);
    model::validate(model);
    use_model(model);
  });
}

// The answers to "describe" and "map", one after the other.
struct Answers {
  Bytes facts;
  Bytes map;
};
template <class A>
void archive(A& ar, Answers& v) {
  ar(v.facts, v.map);
}

const InputFile& data_file() {
  static const InputFile file("data.h5");
  static const bool written = [] {
    file.write(Bytes(4096, std::byte{1}));
    return true;
  }();
  static_cast<void>(written);
  return file;
}

// A name node that answers what it is told to.
h5::Sandbox& liar() {
  static Bytes answers;  // of the child's process
  static h5::Sandbox sandbox({{"tell",
                               [](ByteView request) {
                                 answers.assign(request.begin(), request.end());
                                 return Bytes();
                               }},
                              {"storage.describe", [](ByteView) { return base::from_bytes<Answers>(answers).facts; }},
                              {"storage.map", [](ByteView) { return base::from_bytes<Answers>(answers).map; }},
                              {"storage.read", [](ByteView) { return Bytes(64); }}});
  return sandbox;
}

Outcome lies(ByteView bytes) {
  const auto& file = data_file();
  static_cast<void>(liar().call("tell", bytes, file.path()));
  return decoding([&] {
    st::Input input(liar(), {.inputs = {file.path()}, .dataset = "/x"});
    st::Binding binding;
    for (u64 column = 0; column < std::min<u64>(input.table().columns, 64); ++column)
      binding.features.push_back({.column = column});
    input.bind({binding}, {});
    constexpr u64 most_bytes = u64{1} << 26;
    const base::RowRange rows{0, std::min<u64>(input.rows(), 50)};
    if (input.payload_bound(rows) > most_bytes || input.decoded_bytes(rows) > most_bytes) return;
    base::AlignedBuffer buffer;
    input.fetch(rows, buffer);
    const st::Decoder of_this(base::from_bytes<st::RowFormat>(base::to_bytes(input.format())));
    st::DecodedBlock block;
    of_this.open(buffer.view(), block);
    std::vector<double> tile(block.rows() * (block.features(0) + 1));
    block.fill_tile(0, 0, block.rows(), tile.data(), block.features(0) + 1);
  });
}

Bytes with_choice(base::u8 choice, const Bytes& message) {
  Bytes bytes(message.size() + 1, std::byte{choice});
  std::copy(message.begin(), message.end(), bytes.begin() + 1);
  return bytes;
}

Bytes payload_of(const st::PayloadHeader& header, u64 segment_bytes) {
  const Bytes body = base::to_bytes(header);
  const u64 size = body.size();
  Bytes bytes(st::align_up(sizeof size + size) + segment_bytes, std::byte{0x42});
  std::memcpy(bytes.data(), &size, sizeof size);
  std::memcpy(bytes.data() + sizeof size, body.data(), size);
  return bytes;
}

h5::DatasetFacts facts(h5::Layout layout) {
  h5::DatasetFacts facts;
  facts.file = data_file().path();
  facts.name = "/x";
  facts.object = 800;
  facts.shape = {40, 4};
  facts.type = base::ElementType{.kind = base::ElementKind::floating, .size = 4};
  facts.read_as = facts.type;
  facts.layout = layout;
  facts.address = 1024;
  facts.fill = Bytes(4, std::byte{0});
  if (layout == h5::Layout::chunked) facts.chunk = {20, 4};
  return facts;
}

}  // namespace

Outcome run(ByteView bytes) {
  if (bytes.empty()) return Outcome::refused;
  const auto choice = std::to_integer<unsigned>(bytes.front()) % 5;
  const ByteView message = bytes.subspan(1);
  switch (choice) {
    case 0:
      return payload(message);
    case 1:
      return assignment(message);
    case 2:
      return part_description(message);
    case 3:
      return model_message(message);
    default:
      return lies(message);
  }
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all;
  const auto header = [](base::u32 format, std::vector<u64> sizes) {
    return st::PayloadHeader{.format = format,
                             .path = "a.h5",
                             .rows = {0, 2},
                             .offsets = {},
                             .arrays = {{.rows = {0, 2}, .extent = 2, .sizes = std::move(sizes), .masks = {}}}};
  };
  all.push_back(with_choice(0, payload_of(header(0, {32}), 32)));
  all.push_back(with_choice(0, payload_of(header(1, {24, 8}), 96)));
  all.push_back(with_choice(0, payload_of(header(2, {40}), 64)));
  all.push_back(with_choice(0, payload_of(header(3, {20, 20}), 128)));
  const st::Assignment assigned{.header = header(1, {24, 8}), .arrays = {{.file = 0, .addresses = {1024, 2048}}}};
  all.push_back(with_choice(1, payload_of({}, 0)));
  all.push_back(with_choice(1, base::to_bytes(assigned)));
  st::ScoreDescription part;
  part.rows = 20;
  part.boundaries = {0, 10, 20};
  part.ledger = {st::ledger_entry(5), 0};
  part.columns = {st::status_column("/status")};
  part.column_extents = {{4096, 20}};
  part.ledger_extent = {8192, 16};
  part.runs_extent = {12288, 64 * 2048};
  all.push_back(with_choice(2, base::to_bytes(part)));
  model::Model model;
  model.n_features = 2;
  model::Affine affine;
  affine.weights.rows = 2;
  affine.weights.cols = 3;
  affine.weights.values = {1, 2, 3, 4, 5, 6};
  affine.bias = {0, 0, 1};
  model.stages.emplace_back(affine);
  model.stages.emplace_back(model::Activation{});
  all.push_back(with_choice(3, base::to_bytes(model)));
  for (const auto layout : {h5::Layout::contiguous, h5::Layout::chunked, h5::Layout::compact}) {
    st::FileFacts file;
    file.table.dataset = "/x";
    file.table.arrays = {facts(layout)};
    const h5::ChunkMap map{.address = {1024, 2048}, .size = {320, 320}, .mask = {}};
    all.push_back(with_choice(4, base::to_bytes(Answers{base::to_bytes(file), base::to_bytes(map)})));
  }
  return all;
}

}  // namespace h5score::fuzz
