// The program: signals first, then the subcommand.
#include "h5score/base/error.hpp"
#include "h5score/base/nearest.hpp"
#include "h5score/run/stop.hpp"
#include "h5score/run/text.hpp"

#include "command.hpp"
#include "failure.hpp"
#include "values.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace h5score::cli {
namespace {

using base::Error;
using base::ExitCode;

// glibc gives big freed blocks back to the system each time, and the next allocation pays for its pages again.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](const auto& a) { return a == "--help" || a == "-h"; });
}

const CommandEntry& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& entry : commands()) {
    const CommandSpec& spec = entry.spec();
    if (name == spec.name || name == spec.alias) return entry;
    names.emplace_back(spec.name);
  }
  const std::string guess = base::nearest(name, names);
  const bool option = name.starts_with('-');
  throw Error(ExitCode::usage, fmt::format("{}: unknown {}", name, option ? "option" : "command"), {},
              guess.empty() ? "see h5score --help" : fmt::format("did you mean h5score {}?", guess));
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
}

int run_command(const std::vector<std::string>& words, const Invocation& invocation) {
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  if (words[0] == "--version" || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    if (invocation.root()) print(words[0] == "--version" ? version_text() : short_help());
    return 0;
  }
  const CommandEntry& entry = find_command(words[0]);
  if (asks_for_help(arguments)) {
    if (invocation.root()) print(help_text(entry.spec(), run::terminal_style(stdout).width));
    return 0;
  }
  const auto command = entry.make();
  command->setup(parse(entry.spec(), arguments));
  return command->run(invocation);
}

// What was printed must have arrived: a full disk behind a redirection is an error. A reader that has seen enough
// (| head) is not.
void check_standard_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  if (errno != EPIPE) throw Error(ExitCode::io, "standard output cannot be written", base::errno_text(errno));
}

// A launcher may end all ranks when the first one fails: then the root must have told why. It tells this one, too.
void wait_for_the_root() {
  using namespace std::chrono_literals;
  const auto end = std::chrono::steady_clock::now() + 2s;
  while (run::stop_signal() == 0 && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(10ms);
}

int run_words(const std::string& program, const std::vector<std::string>& words, Invocation& invocation) {
  invocation.launch = comm::detect_launch();
  invocation.command_line = shell_quoted(program);
  for (const auto& word : words) invocation.command_line += ' ' + shell_quoted(word);
  if (words.empty()) {
    if (invocation.root()) std::fputs(short_help().c_str(), stderr);
    return static_cast<int>(ExitCode::usage);
  }
  const int code = run_command(words, invocation);
  check_standard_output();
  return code;
}

int tell_failure(const Invocation& invocation) {
  const Error error = current_failure();
  // Ranks that fail before they are connected fail alike; one of them tells it.
  if (invocation.root())
    print_failure(error);
  else
    wait_for_the_root();
  return static_cast<int>(error.code());
}

void tell_exhausted_memory() {
  std::fputs("h5score: the memory is exhausted\n", stderr);
}

// Some destructors of libraries take memory (nlohmann/json's), and nothing can be thrown from there.
[[noreturn]] void end_at_terminate() {
  try {
    if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    tell_exhausted_memory();
    std::_Exit(static_cast<int>(ExitCode::io));  // a launcher ends the other ranks, as after a kill
  } catch (...) {
  }
  std::abort();
}

int guarded_main(int argc, char** argv) {
  try {
    Invocation invocation;
    try {
      const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
      return run_words(argc > 0 ? argv[0] : "h5score", words, invocation);
    } catch (const std::bad_alloc&) {  // of this rank alone
      const Error error = current_failure();
      print_failure(error);
      return static_cast<int>(error.code());
    } catch (...) {
      return tell_failure(invocation);
    }
  } catch (const std::bad_alloc&) {  // not even the message found room
    tell_exhausted_memory();
    return static_cast<int>(ExitCode::io);
  }
}

}  // namespace
}  // namespace h5score::cli

int main(int argc, char** argv) {
  std::set_terminate(h5score::cli::end_at_terminate);
  h5score::run::install_signal_handlers();
  h5score::cli::keep_freed_memory();
  std::setlocale(LC_CTYPE, "");  // only to learn whether the terminal shows UTF-8; numbers stay as in C
  return h5score::cli::guarded_main(argc, argv);
}
