// Values as people type them: sizes, durations, row ranges, models. All throw Error(usage) that names the option and
// the text that is wrong.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/run/score_job.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace h5score::cli {

using base::u64;

/// A whole number from `least` on.
u64 parse_count(const std::string& option, const std::string& text, u64 least);
/// "512M", "2GiB", "1.5G", "800000": K M G T and KiB MiB GiB TiB are powers of 1024, kB MB GB TB powers of 1000.
u64 parse_size(const std::string& option, const std::string& text);
/// Seconds: "90", "45s", "90m", "2h", "1d", "MM:SS", "HH:MM:SS", "D-HH", "D-HH:MM", "D-HH:MM:SS" (Slurm's forms).
double parse_duration(const std::string& option, const std::string& text);
/// Checks the form of "A:B" with A < B and returns it; either end may be left out.
std::string parse_range(const std::string& option, const std::string& text);
/// Numbers between commas, from any number of arguments; NaN, which always is missing, is left out.
std::vector<double> parse_numbers(const std::string& option, std::span<const std::string> arguments);
/// NAME=V between commas, from any number of arguments; a name once.
std::vector<run::FillValue> parse_fills(const std::string& option, std::span<const std::string> arguments);
/// "error", "mean" or a number (nan: missing).
run::MissingFeatures parse_missing_features(const std::string& option, const std::string& text);
/// What --compress says, "gzip:N" with N from 1 to 9: N.
base::u32 parse_compression(const std::string& text);
/// What --progress says: auto, bar, lines or none.
run::ProgressMode parse_progress(const std::string& text);
/// "FILE" or "NAME=FILE". What stands before the first '=' is a name if it has no '/'.
run::ModelArgument parse_model(const std::string& text);

/// Throws unless model names are unique, usable as group names, and at most one model has none.
void check_model_names(std::span<const run::ModelArgument> models);
/// Throws where writing `output` would destroy, or later be read as, one of `sources` (paths or globs), or where one of
/// them is empty. Compares names only, nothing is opened.
void check_output(const std::string& option, const std::string& output, std::span<const std::string> sources,
                  const std::string& what);

/// The index of `text` in `choices`; the error lists them.
std::size_t parse_choice(const std::string& option, const std::string& text, std::span<const std::string> choices);
/// The lines of a text file, without blanks around them; empty ones and those that begin with # are left out. Throws
/// Error(no_input) where it cannot be read, Error(usage) where nothing is left.
std::vector<std::string> read_list(const std::string& option, const std::string& path);
/// Words separated by commas, from any number of arguments; empty ones are dropped.
std::vector<std::string> split_commas(std::span<const std::string> arguments);

/// One argument quoted for a POSIX shell where it must be.
std::string shell_quoted(std::string_view argument);

}  // namespace h5score::cli
