// Fixed-size records of score files: facts of runs, lines of /inputs, text at a fixed length.
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "score_layout.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::storage::layout {
namespace {

using base::ExitCode;
using h5::check;
using h5::Handle;

constexpr const char* no_type = "a datatype cannot be made";

constexpr std::size_t host_bytes = 64;
constexpr std::size_t job_bytes = 64;
constexpr std::size_t version_bytes = 32;
constexpr std::size_t command_bytes = 1848;

// A run's facts with text at fixed length, as stored.
struct PackedRun {
  i64 start_ns;
  i64 end_ns;
  u64 ranks;
  u64 pid;
  u64 blocks;
  char host[host_bytes];
  char job[job_bytes];
  char version[version_bytes];
  char command[command_bytes];
};
static_assert(sizeof(PackedRun) == run_bytes && std::is_trivially_copyable_v<PackedRun>);

void insert(const Handle& compound, const char* name, std::size_t offset, hid_t type) {
  check(H5Tinsert(compound.get(), name, offset, type), no_type, ExitCode::internal);
}

}  // namespace

Handle text_type(std::size_t length) {
  return h5::datatype({.kind = base::ElementKind::fixed_string, .size = base::narrow<u32>(length), .utf8 = true});
}

Handle run_type() {
  Handle type(H5Tcreate(H5T_COMPOUND, run_bytes), no_type, ExitCode::internal);
  insert(type, "start_ns", offsetof(PackedRun, start_ns), H5T_STD_I64LE);
  insert(type, "end_ns", offsetof(PackedRun, end_ns), H5T_STD_I64LE);
  insert(type, "ranks", offsetof(PackedRun, ranks), H5T_STD_U64LE);
  insert(type, "pid", offsetof(PackedRun, pid), H5T_STD_U64LE);
  insert(type, "blocks", offsetof(PackedRun, blocks), H5T_STD_U64LE);
  insert(type, "host", offsetof(PackedRun, host), text_type(host_bytes).get());
  insert(type, "job", offsetof(PackedRun, job), text_type(job_bytes).get());
  insert(type, "version", offsetof(PackedRun, version), text_type(version_bytes).get());
  insert(type, "command", offsetof(PackedRun, command), text_type(command_bytes).get());
  return type;
}

Handle sign_of_life_type() {
  Handle type(H5Tcreate(H5T_COMPOUND, sizeof(SignOfLife)), no_type, ExitCode::internal);
  insert(type, "start_ns", offsetof(SignOfLife, start_ns), H5T_STD_I64LE);
  insert(type, "alive_ns", offsetof(SignOfLife, alive_ns), H5T_STD_I64LE);
  return type;
}

RunRecord pack(const RunFacts& run) {
  PackedRun packed{.start_ns = run.start_ns,
                   .end_ns = run.end_ns,
                   .ranks = run.ranks,
                   .pid = run.pid,
                   .blocks = run.blocks,
                   .host = {},
                   .job = {},
                   .version = {},
                   .command = {}};
  std::memcpy(packed.host, fixed_text(run.host, host_bytes).data(), host_bytes);
  std::memcpy(packed.job, fixed_text(run.job, job_bytes).data(), job_bytes);
  std::memcpy(packed.version, fixed_text(run.version, version_bytes).data(), version_bytes);
  std::memcpy(packed.command, fixed_text(run.command, command_bytes).data(), command_bytes);
  return std::bit_cast<RunRecord>(packed);
}

RunFacts unpack(const RunRecord& record) {
  const auto packed = std::bit_cast<PackedRun>(record);
  return {.start_ns = packed.start_ns,
          .end_ns = packed.end_ns,
          .ranks = packed.ranks,
          .pid = packed.pid,
          .blocks = packed.blocks,
          .host = text_of(packed.host, host_bytes),
          .job = text_of(packed.job, job_bytes),
          .version = text_of(packed.version, version_bytes),
          .command = text_of(packed.command, command_bytes)};
}

Handle input_type(std::size_t path_bytes, std::size_t dataset_bytes) {
  const std::size_t numbers = path_bytes + dataset_bytes;
  Handle type(H5Tcreate(H5T_COMPOUND, numbers + 4 * sizeof(u64)), no_type, ExitCode::internal);
  insert(type, "path", 0, text_type(path_bytes).get());
  insert(type, "dataset", path_bytes, text_type(dataset_bytes).get());
  insert(type, "first_row", numbers, H5T_STD_U64LE);
  insert(type, "rows", numbers + sizeof(u64), H5T_STD_U64LE);
  insert(type, "size", numbers + 2 * sizeof(u64), H5T_STD_U64LE);
  insert(type, "mtime_ns", numbers + 3 * sizeof(u64), H5T_STD_I64LE);
  return type;
}

std::string fixed_text(const std::string& text, std::size_t length) {
  std::size_t kept = std::min(text.size(), length);
  const auto continues = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U; };
  if (kept < text.size())
    while (kept > 0 && continues(kept)) --kept;
  std::string result = text.substr(0, kept);
  result.resize(length, '\0');
  return result;
}

std::string text_of(const char* begin, std::size_t length) {
  return {begin, std::find(begin, begin + length, '\0')};
}

Handle file_access() {
  const char* what = "a file access list cannot be made";
  Handle access = h5::lock_free_access();
  check(H5Pset_libver_bounds(access.get(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST), what, ExitCode::internal);
  check(H5Pset_alignment(access.get(), 1, 4096), what, ExitCode::internal);
  return access;
}

Handle dense_file_access() {
  Handle access = file_access();
  check(H5Pset_alignment(access.get(), 1, 1), "a file access list cannot be made", ExitCode::internal);
  return access;
}

}  // namespace h5score::storage::layout
