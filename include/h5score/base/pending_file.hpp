// Small files that appear under their names only when they are complete, whoever else writes or reads the same name.
#pragma once

#include "h5score/base/types.hpp"

#include <string>

namespace h5score::base {

/// A new file beside `path` under a name that no other run has, until publish() renames it.
class PendingFile {
 public:
  /// Throws Error(cant_create): no file can be made there, or `path` is not a regular file.
  explicit PendingFile(const std::string& path);
  /// Removes the file unless it was published.
  ~PendingFile();
  PendingFile(const PendingFile&) = delete;
  PendingFile& operator=(const PendingFile&) = delete;

  /// The name to write to in the meantime.
  [[nodiscard]] const std::string& temporary() const { return temporary_; }
  /// Appends. Throws Error(io).
  void write(ByteView bytes);
  /// Syncs, renames and syncs the folder. A file of the name before is replaced; who has it open keeps reading it.
  /// Throws Error(io).
  void publish();

 private:
  [[noreturn]] void fail(const std::string& action) const;
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// Writes a whole file by way of a PendingFile. Throws Error(cant_create), Error(io).
void write_file_atomically(const std::string& path, ByteView bytes);

}  // namespace h5score::base
