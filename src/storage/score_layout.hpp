// Names, types and records that the writer and the reader of score files share.
#pragma once

#include "h5score/h5/handle.hpp"
#include "h5score/h5/memory_file.hpp"
#include "h5score/storage/score_file.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <string>

namespace h5score::storage::layout {

// Ledger, boundaries and records are written as they lie in memory.
static_assert(std::endian::native == std::endian::little, "score files are written in little-endian order");

inline constexpr const char* inputs = "/inputs";
inline constexpr const char* group = "/h5score";
inline constexpr const char* identity = "/h5score/identity";
inline constexpr const char* features = "/h5score/features";
inline constexpr const char* options = "/h5score/options";
inline constexpr const char* boundaries = "/h5score/boundaries";
inline constexpr const char* ledger = "/h5score/ledger";
inline constexpr const char* runs = "/h5score/runs";
inline constexpr const char* alive = "/h5score/alive";
inline constexpr const char* columns = "/h5score/columns";
inline constexpr const char* tables = "/h5score/tables";
inline constexpr const char* version_attribute = "format_version";
inline constexpr base::i64 version = 1;

inline constexpr std::size_t run_slots = 64;
inline constexpr std::size_t run_bytes = 2048;
using RunRecord = std::array<std::byte, run_bytes>;

/// The compound type of /h5score/runs; a RunRecord is one element's bytes.
h5::Handle run_type();
/// One element of /h5score/alive; slot i belongs to the run in slot i of /h5score/runs. Apart from the runs, whose
/// records never change while a run writes.
struct SignOfLife {
  i64 start_ns = 0;  ///< of the run
  i64 alive_ns = 0;  ///< 0: the run has ended in order
};
h5::Handle sign_of_life_type();

RunRecord pack(const RunFacts& run);
RunFacts unpack(const RunRecord& record);

/// The compound type of /inputs, packed, with text of these lengths.
h5::Handle input_type(std::size_t path_bytes, std::size_t dataset_bytes);
/// The bytes of `text` at a fixed length, cut at a character's begin and padded with zeros.
std::string fixed_text(const std::string& text, std::size_t length);
/// The text before the padding.
std::string text_of(const char* begin, std::size_t length);
/// UTF-8 text of a fixed length, padded with zeros.
h5::Handle text_type(std::size_t length);

/// File access for our own files: versions that every HDF5 since 1.6 reads, no locks by the library (they fail on NFS
/// and Lustre; we hold our own), pages of our own for every object.
h5::Handle file_access();

/// Throws Error(data) where boundaries, ledger and places contradict each other: a run that continues such a file could
/// destroy it.
void require_consistent(const ScoreDescription& scores);

/// The same for compressed copies: objects follow each other closely.
h5::Handle dense_file_access();

/// A new score file but for the results: all metadata and the small tables.
h5::MemoryFile make_metadata(const ScoreFileSpec& spec);
/// The same as a new file `path` that is left open.
h5::Handle open_with_metadata(const std::string& path, const ScoreFileSpec& spec);

}  // namespace h5score::storage::layout
