// "Did you mean ...?"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace h5score::base {

/// The candidate that `word` most likely misspells or abbreviates; empty where none is close. Distance: optimal string
/// alignment (insertions, deletions, substitutions, swaps of neighbours), at most a third of the word's length; words
/// that only differ in the case of ASCII letters are always close.
[[nodiscard]] std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace h5score::base
