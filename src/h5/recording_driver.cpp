// The callbacks of the recording file driver. They are called by C code: nothing may throw through them.
#include "recording_driver.hpp"

#if !H5SCORE_CHUNK_ITER

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <new>

namespace h5score::h5 {
namespace {

// The driver's property in an access list; HDF5 copies it bytewise.
struct Property {
  Recorder* recorder;
};

struct File {
  H5FD_t base{};  // HDF5 casts: it must come first
  int fd = -1;
  haddr_t end_of_addresses = 0;
  haddr_t end_of_file = 0;
  dev_t device = 0;
  ino_t inode = 0;
  Recorder* recorder = nullptr;
};

File* self(H5FD_t* file) {
  return reinterpret_cast<File*>(file);
}
const File* self(const H5FD_t* file) {
  return reinterpret_cast<const File*>(file);
}

constexpr auto largest_address = static_cast<haddr_t>(std::numeric_limits<off_t>::max());

H5FD_t* open_callback(const char* name, unsigned flags, hid_t access, haddr_t /*maxaddr*/) {
  if ((flags & H5F_ACC_RDWR) != 0) return nullptr;
  const auto* property = static_cast<const Property*>(H5Pget_driver_info(access));
  if (property == nullptr) return nullptr;
  const int fd = ::open(name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return nullptr;
  struct stat status {};
  auto* file = ::fstat(fd, &status) == 0 ? new (std::nothrow) File : nullptr;
  if (file == nullptr) {
    ::close(fd);
    return nullptr;
  }
  file->fd = fd;
  file->end_of_file = static_cast<haddr_t>(status.st_size);
  file->device = status.st_dev;
  file->inode = status.st_ino;
  file->recorder = property->recorder;
  return &file->base;
}

herr_t close_callback(H5FD_t* file) {
  const int result = ::close(self(file)->fd);
  delete self(file);
  return result;
}

int compare_callback(const H5FD_t* a, const H5FD_t* b) {
  if (self(a)->device != self(b)->device) return self(a)->device < self(b)->device ? -1 : 1;
  if (self(a)->inode != self(b)->inode) return self(a)->inode < self(b)->inode ? -1 : 1;
  return 0;
}

herr_t query_callback(const H5FD_t* /*file*/, unsigned long* flags) {
  *flags = 0;
  return 0;
}

haddr_t eoa_callback(const H5FD_t* file, H5FD_mem_t /*type*/) {
  return self(file)->end_of_addresses;
}

herr_t set_eoa_callback(H5FD_t* file, H5FD_mem_t /*type*/, haddr_t address) {
  self(file)->end_of_addresses = address;
  return 0;
}

haddr_t eof_callback(const H5FD_t* file, H5FD_mem_t /*type*/) {
  return self(file)->end_of_file;
}

// In the words of HDF5's own drivers, which throw_failure() reads.
herr_t told_to_library(int error) {
  static_cast<void>(H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_READERROR,
                             "file read failed: errno = %d, error message = '%s'", error,
                             std::strerror(error)));  // NOLINT(concurrency-mt-unsafe): the library has one thread
  return -1;
}

herr_t read_callback(H5FD_t* base, H5FD_mem_t type, hid_t /*transfer*/, haddr_t address, size_t size, void* buffer) {
  File* file = self(base);
  if (file->recorder->recording && type == H5FD_MEM_DRAW) {
    ++file->recorder->reads;
    file->recorder->address = address;
    file->recorder->size = size;
    return 0;
  }
  auto* out = static_cast<char*>(buffer);
  while (size != 0) {
    const ssize_t n = ::pread(file->fd, out, size, static_cast<off_t>(address));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return told_to_library(errno);
    if (n == 0) {
      std::memset(out, 0, size);  // as HDF5's own drivers do beyond the end of a file
      return 0;
    }
    out += n;
    address += static_cast<haddr_t>(n);
    size -= static_cast<size_t>(n);
  }
  return 0;
}

herr_t write_callback(H5FD_t* /*file*/, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t /*address*/, size_t /*size*/,
                      const void* /*buffer*/) {
  return -1;
}

hid_t register_driver() {
  static const H5FD_class_t driver = [] {
    H5FD_class_t c{};
    c.name = "h5score_recording";
    c.maxaddr = largest_address;
    c.fc_degree = H5F_CLOSE_WEAK;
    c.fapl_size = sizeof(Property);
    c.open = open_callback;
    c.close = close_callback;
    c.cmp = compare_callback;
    c.query = query_callback;
    c.get_eoa = eoa_callback;
    c.set_eoa = set_eoa_callback;
    c.get_eof = eof_callback;
    c.read = read_callback;
    c.write = write_callback;
    const H5FD_mem_t one_list[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::memcpy(c.fl_map, one_list, sizeof one_list);
    return c;
  }();
  return check(H5FDregister(&driver), "the recording file driver cannot be registered", base::ExitCode::internal);
}

}  // namespace

Handle recording_access(Recorder& recorder) {
  initialise();
  static const hid_t driver = register_driver();
  const std::string what = "a file access list cannot be made";
  Handle access(H5Pcreate(H5P_FILE_ACCESS), what, base::ExitCode::internal);
  const Property property{&recorder};
  check(H5Pset_driver(access.get(), driver, &property), what, base::ExitCode::internal);
  return access;
}

}  // namespace h5score::h5

#endif
