// The handler of SIGBUS and the ranges that it knows.
#include "bus_guard.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace h5score::storage {
namespace {

struct Slot {
  std::atomic<bool> taken{false};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};  // 0: none
  std::atomic<bool> lost{false};
};

// A signal handler can reach nothing but globals; only lock-free atomics may change under it.
constexpr std::size_t most_slots = 512;
std::array<Slot, most_slots> slots;
struct sigaction handler_before {};  // written once, before the handler can run
std::uintptr_t page_size = 4096;     // likewise
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

// mmap() is a plain system call, although POSIX does not list it for signal handlers.
bool replace_page(std::uintptr_t address) {
  void* const page = reinterpret_cast<void*>(address / page_size * page_size);  // NOLINT(performance-no-int-to-ptr)
  return ::mmap(page, page_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

void on_bus_error(int signal, siginfo_t* info, void* /*context*/) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (auto& slot : slots) {
    const std::uintptr_t begin = slot.begin.load();
    if (address < begin || address >= slot.end.load()) continue;
    slot.lost.store(true);
    if (replace_page(address)) return;
  }
  ::sigaction(signal, &handler_before, nullptr);  // the instruction is tried again, and meets the handler before us
}

bool install() {
  const long size = ::sysconf(_SC_PAGESIZE);
  if (size <= 0 || ::sigaction(SIGBUS, nullptr, &handler_before) != 0) return false;
  page_size = static_cast<std::uintptr_t>(size);
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  return ::sigaction(SIGBUS, &action, nullptr) == 0;
}

}  // namespace

bool BusGuard::guard(std::span<const std::byte> range) {
  static const bool installed = install();
  if (!installed) return false;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    bool free = false;
    if (!slots[i].taken.compare_exchange_strong(free, true)) continue;
    slots[i].lost.store(false);
    slots[i].begin.store(reinterpret_cast<std::uintptr_t>(range.data()));
    slots[i].end.store(reinterpret_cast<std::uintptr_t>(range.data() + range.size()));
    slot_ = i;
    return true;
  }
  return false;
}

BusGuard::~BusGuard() {
  if (slot_ == none) return;
  slots[slot_].end.store(0);
  slots[slot_].taken.store(false);
}

bool BusGuard::lost() const {
  return slot_ != none && slots[slot_].lost.load();
}

}  // namespace h5score::storage
