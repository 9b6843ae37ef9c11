// HDF5's own driver for ordinary files, behind a look at what is to be opened.
#include "regular_driver.hpp"

#include "h5score/h5/io.hpp"

#include <sys/stat.h>

namespace h5score::h5 {
namespace {

// HDF5 tells a driver's callbacks only through a file that it has open.
H5FD_class_t default_driver(const std::string& path) {
  const std::string what = path + ": cannot be opened";
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), what, base::ExitCode::internal);
  check(H5Pset_fapl_sec2(access.get()), what, base::ExitCode::internal);
  H5FD_t* file = H5FDopen(path.c_str(), H5F_ACC_RDONLY, access.get(), HADDR_UNDEF);
  if (file == nullptr) throw base::Error(base::ExitCode::no_input, what, take_error_text());
  const H5FD_class_t driver = *file->cls;
  check(H5FDclose(file), what);
  return driver;
}

// C code calls it, and gives nothing of ours along.
const H5FD_class_t& own_driver(const std::string& path = {});

H5FD_t* open_regular(const char* name, unsigned flags, hid_t access, haddr_t most) {
  struct stat status {};
  const bool regular = ::stat(name, &status) == 0 && S_ISREG(status.st_mode);
  return regular ? own_driver().open(name, flags, access, most) : nullptr;
}

const H5FD_class_t& own_driver(const std::string& path) {
  static const H5FD_class_t driver = default_driver(path);
  return driver;
}

hid_t register_driver(const std::string& path) {
  static const H5FD_class_t driver = [&] {
    H5FD_class_t copy = own_driver(path);
    copy.name = "h5score_regular";
    copy.open = open_regular;
    return copy;
  }();
  return check(H5FDregister(&driver), "the file driver cannot be registered", base::ExitCode::internal);
}

}  // namespace

Handle regular_access(const std::string& path) {
  Handle access = lock_free_access();
  static const hid_t driver = register_driver(path);
  check(H5Pset_driver(access.get(), driver, nullptr), path + ": cannot be opened", base::ExitCode::internal);
  return access;
}

}  // namespace h5score::h5
