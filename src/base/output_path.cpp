// What stands at an output's path.
#include "h5score/base/output_path.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/types.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace h5score::base {

void check_replaceable(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;
  const char* what = S_ISDIR(status.st_mode)   ? "it is a folder"
                     : S_ISLNK(status.st_mode) ? "it is a symbolic link"
                                               : "it is not a regular file";
  throw Error(ExitCode::cant_create, path + ": cannot be created", what, "choose another name");
}

std::string free_temporary(const std::string& path) {
  struct stat status {};
  for (u64 i = 0;; ++i) {
    std::string temporary = path + '.' + std::to_string(i) + ".tmp";
    if (::lstat(temporary.c_str(), &status) != 0) return temporary;
  }
}

void check_creatable(const std::string& path) {
  check_replaceable(path);
  const std::string temporary = free_temporary(path);
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) throw Error(ExitCode::cant_create, path + ": cannot be created", errno_text(errno));
  ::close(fd);
  if (::unlink(temporary.c_str()) != 0)
    throw Error(ExitCode::cant_create, temporary + ": cannot be removed", errno_text(errno));
}

}  // namespace h5score::base
