// Error messages in the grammar `problem (why); suggestion`.
#include "h5score/base/error.hpp"

#include <system_error>

namespace h5score::base {
namespace {
std::string sentence(const std::string& problem, const std::string& why, const std::string& suggestion) {
  std::string text = problem;
  if (!why.empty()) text += " (" + why + ")";
  if (!suggestion.empty()) text += "; " + suggestion;
  return text;
}
}  // namespace

Error::Error(ExitCode code, const std::string& problem, const std::string& why, const std::string& suggestion)
    : Error(code, sentence(problem, why, suggestion), 0) {}

Error Error::in(const std::string& prefix) const {
  return {code_, prefix + ": " + what(), 0};
}

std::string errno_text(int errno_value) {
  return std::generic_category().message(errno_value);
}

}  // namespace h5score::base
