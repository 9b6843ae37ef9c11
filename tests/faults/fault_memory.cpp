// Allocations that fail, in all processes of a run, loaded by LD_PRELOAD. Only what is asked for after main() has begun
// counts. Environment (fault_layer.py sets it):
//   FAULTS_CONTROL, FAULTS_PROGRAM  as in fault_layer.cpp
//   FAULTS_MEMORY_OF     all, or new: only C++ (not the C libraries HDF5 and MPI)
//   FAULTS_MEMORY_LEAST  smaller allocations never fail
//   FAULTS_MEMORY_AT     number of the allocation that fails, over all processes; 0: none
//   FAULTS_MEMORY_ON     1: all later ones fail, too
#include "fault_control.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
}

namespace h5score::faults {
namespace {

struct Settings {
  Control* control = nullptr;
  bool all = false;
  std::size_t least = 0;
  std::uint64_t at = 0;
  bool on = false;
};
Settings settings;

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

bool is_watched_program() {
  std::array<char, PATH_MAX> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return false;
  const std::string_view name(path.data());
  return name.substr(name.find_last_of('/') + 1) == variable("FAULTS_PROGRAM");
}

void start() {
  if (*variable("FAULTS_MEMORY_AT") == '\0' || !is_watched_program()) return;
  const int fd = ::open(variable("FAULTS_CONTROL"), O_RDWR | O_CLOEXEC);
  struct stat status {};
  void* memory = MAP_FAILED;
  if (fd >= 0 && ::fstat(fd, &status) == 0)
    memory = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (memory == MAP_FAILED) std::abort();
  settings = {.control = static_cast<Control*>(memory),
              .all = std::string_view(variable("FAULTS_MEMORY_OF")) == "all",
              .least = std::strtoul(variable("FAULTS_MEMORY_LEAST"), nullptr, 10),
              .at = std::strtoull(variable("FAULTS_MEMORY_AT"), nullptr, 10),
              .on = *variable("FAULTS_MEMORY_ON") == '1'};
}

bool fails(std::size_t size) {
  if (settings.control == nullptr || size < settings.least) return false;
  const std::uint64_t number = settings.control->allocations.fetch_add(1) + 1;
  const bool met = settings.at != 0 && (number == settings.at || (settings.on && number > settings.at));
  if (met) ++settings.control->triggered;
  return met;
}

template <class Allocate>
void* allocate(std::size_t size, Allocate real) {
  if (!settings.all || !fails(size)) return real();
  errno = ENOMEM;
  return nullptr;
}

template <class Allocate>
void* allocate_new(std::size_t size, Allocate real) {
  void* memory = fails(size) ? nullptr : real();
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace
}  // namespace h5score::faults

using namespace h5score::faults;

extern "C" {

// Runs between the constructors of all libraries and main().
int __libc_start_main(int (*main)(int, char**, char**), int count, char** words, void (*init)(), void (*fini)(),
                      void (*end)(), void* stack) {
  start();
  const auto real = reinterpret_cast<decltype(&__libc_start_main)>(::dlsym(RTLD_NEXT, "__libc_start_main"));
  return real(main, count, words, init, fini, end, stack);
}
void* malloc(size_t size) {
  return allocate(size, [&] { return __libc_malloc(size); });
}
void* calloc(size_t count, size_t size) {
  return allocate(count * size, [&] { return __libc_calloc(count, size); });
}
void* realloc(void* old, size_t size) {
  return allocate(size, [&] { return __libc_realloc(old, size); });
}
void* aligned_alloc(size_t alignment, size_t size) {
  return allocate(size, [&] { return __libc_memalign(alignment, size); });
}
int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory != nullptr || size == 0 ? 0 : ENOMEM;
}

}  // extern "C"

void* operator new(std::size_t size) {
  return allocate_new(size, [&] { return __libc_malloc(size != 0 ? size : 1); });
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_new(size, [&] { return __libc_memalign(static_cast<std::size_t>(alignment), size); });
}
