// Files for targets, and what a refusal must look like.
#include "target.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <new>
#include <stdexcept>

namespace h5score::fuzz {
namespace {

using base::Error;
using base::ExitCode;

base::u64& deaths() {
  static base::u64 count = 0;
  return count;
}

void check_message(const Error& error, const std::string& name) {
  const std::string message = error.what();
  const bool blames_input =
      error.code() == ExitCode::data || error.code() == ExitCode::usage || error.code() == ExitCode::no_input;
  if (!blames_input)
    throw std::logic_error("refused with code " + std::to_string(static_cast<int>(error.code())) + ": " + message);
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (message.empty() || std::any_of(message.begin(), message.end(), control))
    throw std::logic_error("the message is not one printable line: " + message);
  if (message.find(name) == std::string::npos) throw std::logic_error("the message does not name the file: " + message);
}

}  // namespace

Outcome refusing(const std::string& name, const std::function<void()>& use) {
  try {
    use();
    return Outcome::used;
  } catch (const Error& error) {
    check_message(error, name);
    return Outcome::refused;
  } catch (const std::bad_alloc&) {
    throw std::logic_error("memory was asked for without a bound");
  } catch (const std::length_error&) {
    throw std::logic_error("memory was asked for without a bound");
  }
}

InputFile::InputFile(const std::string& name) {
  std::error_code absent;
  const std::filesystem::path memory = "/dev/shm";
  const auto base = std::filesystem::is_directory(memory, absent) ? memory : std::filesystem::temp_directory_path();
  std::string pattern = (base / "h5score-fuzz-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder for files can be made");
  folder_ = pattern;
  path_ = folder_ + "/" + name;
}

InputFile::~InputFile() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

// As a new file: the library takes one that it failed to close for the same, with what it held before.
void InputFile::write(base::ByteView bytes) const {
  std::filesystem::remove(path_);
  std::ofstream file(path_, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error(path_ + " cannot be written");
}

std::string text_of(base::ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

base::u64 name_node_deaths() {
  return deaths();
}

void count_name_node_death() {
  ++deaths();
}

}  // namespace h5score::fuzz
