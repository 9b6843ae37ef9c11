// What all processes of a run under the fault layer share: counters, the processes themselves and the log of
// operations. A file that the test made and that the layer maps; fault_layer.py knows the same places.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>

namespace h5score::faults {

inline constexpr std::size_t most_processes = 64;

struct Control {
  std::atomic<std::uint64_t> calls;        ///< of the chosen kinds in the chosen folder
  std::atomic<std::uint64_t> triggered;    ///< how many of them met the fault
  std::atomic<std::uint64_t> allocations;  ///< that could have failed
  std::atomic<std::uint64_t> dead;         ///< the job was killed: nobody may do anything any more
  std::atomic<std::uint64_t> logged;       ///< bytes of the log, which begins behind this structure
  std::atomic<std::uint64_t> capacity;     ///< for the log; set by the test
  std::atomic<std::uint64_t> processes;
  std::array<std::atomic<std::int64_t>, most_processes> process;
};

enum class Kind : std::uint32_t { open, write, size, sync, name, close, read, end };
enum class Name : std::uint32_t { rename = 1, link, unlink };

/// One operation, logged when it begins; a second record of kind `end` with the same id follows when it has ended.
struct Record {
  std::uint64_t bytes;  ///< of the record and what follows it, a multiple of 8; written last
  Kind kind;
  std::uint32_t detail;  ///< of names: a Name
  std::uint64_t id;      ///< place of the first record in the log
  std::uint64_t
      inode;  ///< of the open file; of names: of the file that is renamed or linked; of `end`: what was opened
  std::int64_t offset;
  std::int64_t result;  ///< of `end`: what the call returned
  std::uint32_t path_bytes;
  std::uint32_t target_bytes;  ///< of renames and links
  std::uint64_t data_bytes;    ///< path, target and data follow
};

}  // namespace h5score::faults
