// The command that continues a part file, from its records.
#include "h5score/run/resume.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/score_file.hpp"

#include "job_record.hpp"

#include <filesystem>
#include <string_view>

namespace h5score::run {
namespace {

constexpr std::size_t most_recorded = 1844;  // a longer command of RunFacts may be cut

bool final_name_is_taken(const std::string& part) {
  const std::string ending = storage::part_path("");
  std::error_code unreadable;
  return part.ends_with(ending) && std::filesystem::exists(part.substr(0, part.size() - ending.size()), unreadable);
}

// Without a flag that stands for itself.
std::string without(std::string command, std::string_view flag) {
  const std::string word = " " + std::string(flag);
  for (auto at = command.find(word); at != std::string::npos; at = command.find(word, at)) {
    const auto end = at + word.size();
    if (end == command.size() || command[end] == ' ')
      command.erase(at, word.size());
    else
      at = end;
  }
  return command;
}

}  // namespace

ResumeCommand resume_command(const storage::ScoreDescription& part) {
  ResumeCommand resume;
  try {
    auto record = parse_job_record(part.options);
    resume = {std::move(record.folder), std::move(record.options.command_line), false};
  } catch (const base::Error&) {  // of an older version, or damaged
    if (part.runs.empty()) return resume;
    resume.command = part.runs.back().command;
    resume.cut = resume.command.size() >= most_recorded;
  }
  resume.command = without(resume.command, "--resume");
  if (!final_name_is_taken(part.path)) resume.command = without(resume.command, "--overwrite");
  resume.command += " --resume";
  return resume;
}

}  // namespace h5score::run
