// What a fuzz target is: a function that takes any bytes, and either uses them or refuses them with one clear message.
// Anything else (another exception, a message of several lines, a crash) is a fault. libFuzzer and replay.cpp both call
// it.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"

#include <functional>
#include <string>
#include <vector>

namespace h5score::fuzz {

enum class Outcome : base::u8 { used, refused };

/// Each target's file defines both: what is done with bytes, and sound bytes that no file of the corpus holds.
Outcome run(base::ByteView bytes);
std::vector<base::Bytes> seeds();

/// Calls `use`. A refusal must be an Error that blames the data or the command line (64, 65, 66), of one printable
/// line, and must hold `name` (a path, or empty). Throws std::logic_error else.
Outcome refusing(const std::string& name, const std::function<void()>& use);

/// A file in memory where there is a place for it, with the bytes of the moment.
class InputFile {
 public:
  /// `name` is the file's name within a folder of its own.
  explicit InputFile(const std::string& name);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();
  [[nodiscard]] const std::string& path() const { return path_; }
  void write(base::ByteView bytes) const;

 private:
  std::string folder_;
  std::string path_;
};

/// The text that `bytes` are.
[[nodiscard]] std::string text_of(base::ByteView bytes);

/// The deaths of name nodes that targets have seen.
[[nodiscard]] base::u64 name_node_deaths();
void count_name_node_death();

}  // namespace h5score::fuzz
