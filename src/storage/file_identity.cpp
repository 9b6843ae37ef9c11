// Size, modification time and a hash of the first page.
#include "file_identity.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 hashed_bytes = 4096;

u64 head_hash(const ByteFile& file) {
  std::array<std::byte, hashed_bytes> head;
  std::array<ByteRange, 1> range{{{.address = 0, .size = std::min(file.size, hashed_bytes), .offset = 0}}};
  ByteReader reader;
  reader.read(file, range, head.data(), {});
  const std::string text = base::content_hash({head.data(), range[0].size});
  u64 hash = 0;
  std::from_chars(text.data(), text.data() + 16, hash, 16);
  return hash;
}

}  // namespace

FileIdentity identity_of(const ByteFile& file) {
  return {.path = file.path, .size = file.size, .mtime_ns = file.mtime_ns, .head_hash = head_hash(file)};
}

void check_identity(const FileIdentity& file, const std::string& host) {
  const std::string advice = "every host must see the same files; with --io scatter only one needs them";
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitCode::data, host + ": " + file.path + ": this is another file than on the root's host", why,
                advice);
  };
  ByteFile here;
  u64 hash = 0;
  try {
    here = stat_file(file.path);
    if (here.size == file.size && here.mtime_ns == file.mtime_ns) hash = head_hash(here);
  } catch (const Error& error) {
    throw Error(error.code(), host + ": " + error.what(), "", advice);
  }
  if (here.size != file.size)
    refuse("it has " + std::to_string(here.size) + " bytes instead of " + std::to_string(file.size));
  if (here.mtime_ns != file.mtime_ns) refuse("its modification time is another");
  if (hash != file.head_hash) refuse("its first " + std::to_string(hashed_bytes) + " bytes are others");
}

}  // namespace h5score::storage
