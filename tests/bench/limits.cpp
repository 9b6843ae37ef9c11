// What this machine can do at most, with 1 and 2 threads: the figures that docs/performance.md holds scoring against.
// usage: limits FOLDER [FILE]    prints one JSON object: number of threads -> name -> bytes, flops or exps in a second
// FOLDER: where new pages are written (a tmpfs); FILE: what is read from the page cache (default: a new file in
// FOLDER). Built by scripts/bench/limits with -march=native; it is no part of the build.
#include <fcntl.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t piece = 512 << 10;       // a reading buffer that stays in L2
constexpr std::size_t copied = 256 << 20;      // larger than any cache
constexpr std::size_t written = 256 << 20;     // new pages of each thread
constexpr std::size_t chunk = 8192 * 100 * 4;  // decoded bytes of a chunk of the peers' B.h5
constexpr int repetitions = 7;

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

/// Units in a second, median: `work(thread)` does `units` on each of `threads` threads at the same time.
double rate(std::size_t threads, double units, const std::function<void(std::size_t)>& work) {
  std::vector<double> found;
  for (int i = 0; i <= repetitions; ++i) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (std::size_t t = 1; t < threads; ++t) others.emplace_back(work, t);
    work(0);
    for (std::thread& other : others) other.join();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (i > 0) found.push_back(units * static_cast<double>(threads) / seconds.count());  // the first one warms up
  }
  std::sort(found.begin(), found.end());
  return found[found.size() / 2];
}

std::unique_ptr<char[]> touched(std::size_t bytes) {
  auto memory = std::make_unique_for_overwrite<char[]>(bytes);
  std::memset(memory.get(), 1, bytes);
  return memory;
}

double pread_rate(std::size_t threads, const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY);
  struct stat facts {};
  if (file < 0 || fstat(file, &facts) != 0) fail(path);
  const std::size_t share = static_cast<std::size_t>(facts.st_size) / threads / piece * piece;
  std::vector<std::unique_ptr<char[]>> buffers;
  for (std::size_t t = 0; t < threads; ++t) buffers.push_back(touched(piece));
  const double found = rate(threads, static_cast<double>(share), [&](std::size_t t) {
    for (std::size_t at = t * share; at < (t + 1) * share; at += piece)
      if (pread(file, buffers[t].get(), piece, static_cast<off_t>(at)) < 0) fail(path);
  });
  close(file);
  return found;
}

double write_rate(std::size_t threads, const std::string& folder) {
  const auto buffer = touched(piece);
  return rate(threads, static_cast<double>(written), [&](std::size_t t) {
    const std::string path = folder + "/limits-" + std::to_string(getpid()) + "-" + std::to_string(t);
    const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    unlink(path.c_str());
    for (std::size_t at = 0; at < written; at += piece)
      if (pwrite(file, buffer.get(), piece, static_cast<off_t>(at)) < 0) fail(path);
    close(file);
  });
}

double copy_rate(std::size_t threads) {
  const auto from = touched(copied);
  const auto to = touched(copied);
  const std::size_t share = copied / threads;
  return rate(threads, static_cast<double>(share),
              [&](std::size_t t) { std::memcpy(to.get() + t * share, from.get() + t * share, share); });
}

/// Normal values with 10 bits of mantissa, shuffled by bytes and compressed at level 4: like the chunks of B.h5.
std::vector<char> compressed_chunk() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<char> shuffled(chunk);
  const std::size_t count = chunk / 4;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = (std::bit_cast<std::uint32_t>(normal(random)) + (1U << 12)) & 0xFFFFE000U;
    for (std::size_t b = 0; b < 4; ++b) shuffled[b * count + i] = static_cast<char>(bits >> (8 * b));
  }
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(4);
  std::vector<char> out(libdeflate_zlib_compress_bound(compressor, chunk));
  out.resize(libdeflate_zlib_compress(compressor, shuffled.data(), chunk, out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

double inflate_rate(std::size_t threads) {
  const std::vector<char> stored = compressed_chunk();
  constexpr int times = 16;
  return rate(threads, static_cast<double>(chunk) * times, [&](std::size_t) {
    const auto out = touched(chunk);
    libdeflate_decompressor* inflater = libdeflate_alloc_decompressor();
    for (int i = 0; i < times; ++i)
      if (libdeflate_zlib_decompress(inflater, stored.data(), stored.size(), out.get(), chunk, nullptr) != 0)
        fail("inflate");
    libdeflate_free_decompressor(inflater);
  });
}

#if defined(__AVX512F__)
constexpr std::size_t vector_bytes = 64;
#else
constexpr std::size_t vector_bytes = 32;
#endif

/// Flops in a second of twelve independent chains of multiply-adds on full vectors.
template <class T>
double fma_rate(std::size_t threads) {
  typedef T Vector __attribute__((vector_size(vector_bytes)));
  constexpr int steps = 4'000'000;
  constexpr int chains = 12;
  const double flops = 2.0 * steps * chains * static_cast<double>(vector_bytes / sizeof(T));
  return rate(threads, flops, [](std::size_t t) {
    const Vector factor = Vector{} + static_cast<T>(0.999);
    const Vector term = Vector{} + static_cast<T>(t + 1);
    Vector sums[chains];
    for (int i = 0; i < chains; ++i) sums[i] = term + static_cast<T>(i);  // equal chains would be computed once
    for (int i = 0; i < steps; ++i) {
#pragma GCC unroll 12
      for (Vector& sum : sums) sum = sum * factor + term;
    }
    for (const Vector& sum : sums) {
      volatile T sink = sum[0];
      static_cast<void>(sink);
    }
  });
}

/// exp of one value by Cody and Waite's reduction and Taylor's polynomial: what an optimiser turns into vectors.
inline float exponential(float x) {
  const float shifted = x * 1.44269504F + 12582912.F;  // 1.5 * 2^23: the nearest integer lies in the low bits
  const float n = shifted - 12582912.F;
  const float r = (x - n * 0.693145752F) - n * 1.42860677e-6F;
  float p = 1.38888889e-3F;
  for (const float c : {8.33333333e-3F, 4.16666667e-2F, 0.166666667F, 0.5F, 1.F, 1.F}) p = p * r + c;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + (std::bit_cast<std::int32_t>(shifted) << 23));
}
inline double exponential(double x) {
  const double shifted = x * 1.4426950408889634 + 6755399441055744.0;  // 1.5 * 2^52
  const double n = shifted - 6755399441055744.0;
  const double r = (x - n * 0.69314718036912382) - n * 1.9082149292705877e-10;
  double p = 2.0876756987868099e-9;  // 1 / 12!
  for (const double c :
       {2.505210838544172e-8, 2.755731922398589e-7, 2.7557319223985893e-6, 2.4801587301587302e-5, 1.9841269841269841e-4,
        1.3888888888888889e-3, 8.3333333333333333e-3, 4.1666666666666667e-2, 0.16666666666666667, 0.5, 1.0, 1.0})
    p = p * r + c;
  return std::bit_cast<double>(std::bit_cast<std::int64_t>(p) + (std::bit_cast<std::int64_t>(shifted) << 52));
}

template <class T>
double exp_rate(std::size_t threads) {
  constexpr std::size_t count = 4096;
  constexpr int times = 20'000;
  return rate(threads, static_cast<double>(count) * times, [](std::size_t) {
    std::vector<T> x(count), y(count);
    for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<T>(-8) + static_cast<T>(i) / 256;
    for (int k = 0; k < times; ++k) {
      const T* from = x.data();
      T* to = y.data();
      asm volatile("" : "+r"(from), "+r"(to) : : "memory");  // so that no repetition is left out
      for (std::size_t i = 0; i < count; ++i) to[i] = exponential(from[i]);
    }
    asm volatile("" : : "r"(y.data()) : "memory");
  });
}

std::string made_file(const std::string& folder) {
  const std::string path = folder + "/limits-input-" + std::to_string(getpid());
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  const auto buffer = touched(piece);
  for (std::size_t at = 0; at < copied; at += piece)
    if (file < 0 || write(file, buffer.get(), piece) < 0) fail(path);
  close(file);
  return path;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fputs("usage: limits FOLDER [FILE]\n", stderr);
    return 64;
  }
  const std::string folder = arguments[1];
  const std::string input = count > 2 ? arguments[2] : made_file(folder);
  for (const std::size_t threads : {1, 2})
    std::printf(
        "%s\"%zu\": {\"pread\": %.5g, \"copy\": %.5g, \"write\": %.5g, \"inflate\": %.5g, \"fma_float\": %.5g, "
        "\"fma_double\": %.5g, \"exp_float\": %.5g, \"exp_double\": %.5g}%s",
        threads == 1 ? "{" : ", ", threads, pread_rate(threads, input), copy_rate(threads), write_rate(threads, folder),
        inflate_rate(threads), fma_rate<float>(threads), fma_rate<double>(threads), exp_rate<float>(threads),
        exp_rate<double>(threads), threads == 1 ? "" : "}\n");
  if (count == 2) unlink(input.c_str());
  return 0;
}
