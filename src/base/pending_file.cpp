// Temporary name, sync, rename, sync of the folder.
#include "h5score/base/pending_file.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/output_path.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace h5score::base {
namespace {

// Makes the new name durable. File systems that cannot sync folders are accepted.
bool sync_folder_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool good = ::fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP;
  const int why = errno;
  ::close(descriptor);
  errno = why;
  return good;
}

}  // namespace

PendingFile::PendingFile(const std::string& path) : path_(path) {
  check_replaceable(path);
  do {  // another run may take a free name first
    temporary_ = free_temporary(path);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && (errno == EEXIST || errno == EINTR));
  if (descriptor_ < 0) throw Error(ExitCode::cant_create, path + ": cannot be created", errno_text(errno));
}

PendingFile::~PendingFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);  // what must be safe was synced
}

void PendingFile::fail(const std::string& action) const {
  throw Error(ExitCode::io, path_ + ": " + action, errno_text(errno));
}

void PendingFile::write(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void PendingFile::publish() {
  while (::fsync(descriptor_) != 0)
    if (errno != EINTR) fail("cannot be written to disk");
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail("cannot be written");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be created");
  temporary_.clear();
  if (!sync_folder_of(path_)) fail("its folder cannot be synced");
}

void write_file_atomically(const std::string& path, ByteView bytes) {
  PendingFile file(path);
  file.write(bytes);
  file.publish();
}

}  // namespace h5score::base
