// Micro-benchmarks of decoding on one core: filters and conversions on data made here, and whole blocks of HDF5 files.
// usage: storage_bench [--benchmark_...] [FILE.h5...]    each file's table is /X, as scripts/bench/run makes them
#include "h5score/base/aligned_buffer.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/decoder.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/name_node.hpp"

#include "storage/codec.hpp"
#include "storage/convert.hpp"

#include <benchmark/benchmark.h>
#include <libdeflate.h>

#include <bit>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace h5score::storage {
namespace {

using base::AlignedBuffer;
using base::ElementKind;
using base::RowRange;

constexpr u64 chunk_rows = 8192;
constexpr u64 columns = 100;
constexpr u64 tile_rows = 64;
constexpr u64 block_rows = 4 * chunk_rows;

void count_bytes(benchmark::State& state, u64 bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

/// Shuffled bytes of normal values with 10 bits of mantissa, about half of which deflate saves.
std::vector<std::byte> shuffled_chunk() {
  constexpr u64 count = chunk_rows * columns;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<std::byte> bytes(count * sizeof(float));
  for (u64 i = 0; i < count; ++i) {
    const u32 bits = (std::bit_cast<u32>(normal(random)) + (u32{1} << 12)) & 0xFFFFE000U;
    for (u32 b = 0; b < sizeof(float); ++b) bytes[b * count + i] = static_cast<std::byte>(bits >> (8 * b) & 0xFFU);
  }
  return bytes;
}

std::vector<std::byte> deflated(std::span<const std::byte> bytes) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(4), &libdeflate_free_compressor);
  std::vector<std::byte> out(libdeflate_zlib_compress_bound(compressor.get(), bytes.size()));
  out.resize(libdeflate_zlib_compress(compressor.get(), bytes.data(), bytes.size(), out.data(), out.size()));
  return out;
}

void decode_gzip_shuffle_chunk(benchmark::State& state) {
  const auto stored = deflated(shuffled_chunk());
  const std::vector<h5::Filter> filters = {{h5::Filter::shuffle, "shuffle", {4}},
                                           {h5::Filter::deflate, "deflate", {4}}};
  AlignedBuffer out(chunk_rows * columns * sizeof(float));
  Codec codec;
  for (auto _ : state) codec.decode(stored, filters, 0, {out.data(), out.size()});
  count_bytes(state, out.size());
}
BENCHMARK(decode_gzip_shuffle_chunk);

void unshuffle_chunk(benchmark::State& state) {
  const auto stored = shuffled_chunk();
  AlignedBuffer out(stored.size());
  for (auto _ : state) {
    unshuffle(stored, static_cast<u64>(state.range(0)), out.data());
    benchmark::ClobberMemory();
  }
  count_bytes(state, stored.size());
}
BENCHMARK(unshuffle_chunk)->Arg(2)->Arg(4)->Arg(8);

/// A tile of one stored type to T, from rows that lie in the L2 cache. Bytes: of the stored elements.
template <class T>
void convert_tile(benchmark::State& state, base::ElementType type) {
  const std::vector<std::byte> stored(tile_rows * columns * type.size);
  std::vector<T> out(tile_rows * columns);
  const Conversion<T> to = conversion<T>(type);
  for (auto _ : state) {
    to.convert({stored.data(), columns * type.size, tile_rows, columns}, out.data(), columns);
    benchmark::ClobberMemory();
  }
  count_bytes(state, stored.size());
}
template <class T>
void register_conversion(const base::ElementType& type) {
  const std::string name = "convert_tile/" + to_string(type) + "_to_float" + std::to_string(8 * sizeof(T));
  benchmark::RegisterBenchmark(name.c_str(), [type](benchmark::State& state) { convert_tile<T>(state, type); });
}

void register_conversions() {
  register_conversion<float>({ElementKind::floating, 4});
  register_conversion<float>({ElementKind::floating, 4, true});
  register_conversion<float>({ElementKind::floating, 8});
  register_conversion<float>({ElementKind::floating, 2});
  register_conversion<float>({ElementKind::signed_integer, 2});
  register_conversion<float>({ElementKind::unsigned_integer, 1});
  register_conversion<double>({ElementKind::floating, 4});
  register_conversion<double>({ElementKind::floating, 8});
}

/// One file's first block, with all columns bound in order.
class FileBlock {
 public:
  FileBlock(h5::Sandbox& name_node, const std::string& path) : input_(name_node, {.inputs = {path}, .dataset = "/X"}) {
    Binding binding;
    for (u64 column = 0; column < input_.table().columns; ++column) binding.features.push_back({.column = column});
    input_.bind({std::move(binding)}, {});
    decoder_ = std::make_unique<Decoder>(input_.format());
    rows_ = {0, std::min(input_.rows(), block_rows)};
    input_.fetch(rows_, payload_);
    decoder_->open(payload_.view(), block_);
    files_ = input_.identities();
    input_.assign(rows_, assignment_);
    reader_ = std::make_unique<BlockReader>(*decoder_, files_, "this host");
  }

  /// As a rank of `--io direct` reads a block.
  void read_pieces(benchmark::State& state) {
    for (auto _ : state)
      for (reader_->open(assignment_.view()); reader_->next();) benchmark::DoNotOptimize(reader_->rows().rows());
    count(state);
  }

  void fetch(benchmark::State& state) {
    for (auto _ : state) input_.fetch(rows_, payload_);
    count(state);
  }

  void decode(benchmark::State& state) {
    for (auto _ : state) decoder_->open(payload_.view(), block_);
    count(state);
  }

  template <class T>
  void fill_tiles(benchmark::State& state) {
    const u64 stride = block_.features(0);
    std::vector<T> tile(tile_rows * stride);
    for (auto _ : state)
      for (u64 row = 0; row < block_.rows(); row += tile_rows) {
        block_.fill_tile(0, row, std::min(tile_rows, block_.rows() - row), tile.data(), stride);
        benchmark::ClobberMemory();
      }
    count(state);
  }

 private:
  void count(benchmark::State& state) {
    count_bytes(state, payload_.size());
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(block_.rows()));
  }

  Input input_;
  std::unique_ptr<Decoder> decoder_;
  DecodedBlock block_;
  AlignedBuffer payload_;
  AlignedBuffer assignment_;
  std::vector<FileIdentity> files_;
  std::unique_ptr<BlockReader> reader_;
  RowRange rows_;
};

void register_file(h5::Sandbox& name_node, const std::string& path) {
  const auto block = std::make_shared<FileBlock>(name_node, path);
  const std::string name = std::filesystem::path(path).stem().string();
  const auto add = [&](const std::string& what, void (FileBlock::*work)(benchmark::State&)) {
    benchmark::RegisterBenchmark((what + "/" + name).c_str(),
                                 [block, work](benchmark::State& state) { (block.get()->*work)(state); });
  };
  add("read_pieces", &FileBlock::read_pieces);
  add("fetch", &FileBlock::fetch);
  add("decode", &FileBlock::decode);
  add("fill_float", &FileBlock::fill_tiles<float>);
  add("fill_double", &FileBlock::fill_tiles<double>);
}

int run(int count, char** arguments) {
  h5::Sandbox name_node(storage_functions(), {});
  benchmark::Initialize(&count, arguments);
  register_conversions();
  for (const char* file : std::span(arguments, static_cast<std::size_t>(count)).subspan(1))
    register_file(name_node, file);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace h5score::storage

int main(int count, char** arguments) {
  try {
    return h5score::storage::run(count, arguments);
  } catch (const std::exception& error) {
    std::cerr << "storage_bench: " << error.what() << '\n';
    return 1;
  }
}
