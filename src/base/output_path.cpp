// What stands at an output's path.
#include "h5score/base/output_path.hpp"

#include "h5score/base/error.hpp"

#include <sys/stat.h>

namespace h5score::base {

void check_replaceable(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;
  const char* what = S_ISDIR(status.st_mode)   ? "it is a folder"
                     : S_ISLNK(status.st_mode) ? "it is a symbolic link"
                                               : "it is not a regular file";
  throw Error(ExitCode::cant_create, path + ": cannot be created", what, "choose another name");
}

}  // namespace h5score::base
