// A virtual file driver over pages in memory. Its callbacks are called by C code: nothing may throw through them.
#include "h5score/h5/memory_file.hpp"

#include "h5score/h5/io.hpp"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

namespace h5score::h5 {

using base::u64;

void MemoryFile::each_stretch(const std::function<void(u64, base::ByteView)>& write) const {
  base::Bytes stretch;
  for (auto page = pages_.begin(); page != pages_.end();) {
    const u64 first = page->first;
    stretch.clear();
    for (u64 next = first; page != pages_.end() && page->first == next; ++page, ++next)
      stretch.insert(stretch.end(), page->second.begin(), page->second.end());
    const u64 offset = first * page_bytes;
    if (offset >= size_) break;
    write(offset, base::ByteView(stretch).first(std::min<u64>(stretch.size(), size_ - offset)));
  }
}

base::Bytes MemoryFile::bytes() const {
  base::Bytes all(size_);
  for (const auto& [number, page] : pages_) {
    const u64 offset = number * page_bytes;
    if (offset < size_)
      std::copy_n(page.begin(), std::min<u64>(page.size(), size_ - offset),
                  all.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  return all;
}

void MemoryFile::put(u64 offset, base::ByteView bytes) noexcept {
  try {
    while (!bytes.empty()) {
      base::Bytes& page = pages_[offset / page_bytes];
      page.resize(page_bytes);
      const u64 begin = offset % page_bytes;
      const u64 n = std::min<u64>(bytes.size(), page_bytes - begin);
      std::memcpy(page.data() + begin, bytes.data(), n);
      bytes = bytes.subspan(n);
      offset += n;
      size_ = std::max(size_, offset);
    }
  } catch (const std::exception&) {
    exhausted_ = true;
  }
}

void MemoryFile::get(u64 offset, std::span<std::byte> bytes) const noexcept {
  while (!bytes.empty()) {
    const auto page = pages_.find(offset / page_bytes);
    const u64 begin = offset % page_bytes;
    const u64 n = std::min<u64>(bytes.size(), page_bytes - begin);
    if (page == pages_.end() || page->second.size() != page_bytes)
      std::memset(bytes.data(), 0, n);
    else
      std::memcpy(bytes.data(), page->second.data() + begin, n);
    bytes = bytes.subspan(n);
    offset += n;
  }
}

void MemoryFile::check() const {
  if (exhausted_) throw std::bad_alloc();
}

namespace {

// The driver's property in an access list; HDF5 copies it bytewise.
struct Property {
  MemoryFile* memory;
};

struct File {
  H5FD_t base{};  // HDF5 casts: it must come first
  MemoryFile* memory = nullptr;
  haddr_t end_of_addresses = 0;
};

File* self(H5FD_t* file) {
  return reinterpret_cast<File*>(file);
}
const File* self(const H5FD_t* file) {
  return reinterpret_cast<const File*>(file);
}

H5FD_t* open_callback(const char* /*name*/, unsigned /*flags*/, hid_t access, haddr_t /*maxaddr*/) {
  const auto* property = static_cast<const Property*>(H5Pget_driver_info(access));
  auto* file = property != nullptr ? new (std::nothrow) File : nullptr;
  if (file == nullptr) return nullptr;
  file->memory = property->memory;
  return &file->base;
}

herr_t close_callback(H5FD_t* file) {
  delete self(file);
  return 0;
}

int compare_callback(const H5FD_t* a, const H5FD_t* b) {
  const std::less<const MemoryFile*> before;
  return int{before(self(b)->memory, self(a)->memory)} - int{before(self(a)->memory, self(b)->memory)};
}

// What the driver for plain files says of placing and grouping, so that the file is the same.
herr_t query_callback(const H5FD_t* /*file*/, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
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
  return self(file)->memory->size();
}

herr_t read_callback(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t address, size_t size,
                     void* buffer) {
  self(file)->memory->get(address, {static_cast<std::byte*>(buffer), size});
  return 0;
}

herr_t write_callback(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t address, size_t size,
                      const void* buffer) {
  self(file)->memory->put(address, {static_cast<const std::byte*>(buffer), size});
  return 0;
}

herr_t truncate_callback(H5FD_t* file, hid_t /*transfer*/, hbool_t /*closing*/) {
  self(file)->memory->resize(self(file)->end_of_addresses);
  return 0;
}

hid_t register_driver() {
  static const H5FD_class_t driver = [] {
    H5FD_class_t c{};
#if H5_VERSION_GE(1, 13, 2)
    c.version = H5FD_CLASS_VERSION;
    c.value = static_cast<H5FD_class_value_t>(H5_VFD_RESERVED + 53);  // none of the registered ones
#endif
    c.name = "h5score_memory";
    c.maxaddr = static_cast<haddr_t>(std::numeric_limits<off_t>::max());
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
    c.truncate = truncate_callback;
    const H5FD_mem_t one_list[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    std::memcpy(c.fl_map, one_list, sizeof one_list);
    return c;
  }();
  return check(H5FDregister(&driver), "the file driver for memory cannot be registered", base::ExitCode::internal);
}

}  // namespace

Handle create_file(MemoryFile& memory, Handle access) {
  initialise();
  static const hid_t driver = register_driver();
  const std::string what = "a file in memory cannot be made";
  const Property property{&memory};
  check(H5Pset_driver(access.get(), driver, &property), what, base::ExitCode::internal);
  return {H5Fcreate("memory", H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), what, base::ExitCode::internal};
}

base::Bytes file_image(const std::function<void(const Handle&)>& write) {
  MemoryFile memory;
  Handle file = create_file(memory, lock_free_access());
  write(file);
  file.close("a file in memory cannot be made");
  memory.check();
  return memory.bytes();
}

}  // namespace h5score::h5
