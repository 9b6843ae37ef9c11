// Error translation and lifetime of HDF5 identifiers.
#include "h5score/h5/handle.hpp"

#include "h5score/h5/lzf.hpp"

#include <cerrno>
#include <string_view>

namespace h5score::h5 {
namespace {

// The innermost record (n == 0 walking upward is the outermost caller last) names the cause best.
herr_t keep_first(unsigned /*n*/, const H5E_error2_t* record, void* data) {
  auto* text = static_cast<std::string*>(data);
  if (text->empty() && record->desc != nullptr) *text = record->desc;
  return 0;
}

// HDF5 reports a failed system call with time, addresses and sizes; the system's own words are enough.
std::string system_words(const std::string& text) {
  static constexpr std::string_view before = "error message = '";
  const auto begin = text.find(before);
  if (begin == std::string::npos) return text;
  return text.substr(begin + before.size(), text.find('\'', begin + before.size()) - begin - before.size());
}

std::string take_raw_text() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "HDF5 gives no reason" : text;
}

bool tells_of_device(const std::string& text) {
  return text.find("errno = " + std::to_string(EIO) + ",") != std::string::npos;
}

}  // namespace

std::string take_error_text() {
  return system_words(take_raw_text());
}

void throw_failure(const std::string& what, base::ExitCode code) {
  const std::string text = take_raw_text();
  throw base::Error(tells_of_device(text) ? base::ExitCode::io : code, what, system_words(text));
}

void forgive_failure(const std::string& what) {
  const std::string text = take_raw_text();
  if (tells_of_device(text)) throw base::Error(base::ExitCode::io, what, system_words(text));
}

void initialise() {
  static const bool done = [] {
    H5dont_atexit();  // must precede H5open: an exit() after a failure must never flush files behind our back
    check(H5open(), "the HDF5 library does not start", base::ExitCode::internal);
    check(H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr), "HDF5 error printing cannot be switched off",
          base::ExitCode::internal);
    register_lzf();
    return true;
  }();
  static_cast<void>(done);
}

std::string library_version() {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  check(H5get_libversion(&major, &minor, &release), "the HDF5 library does not tell its version",
        base::ExitCode::internal);
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(release);
}

void Handle::close(const std::string& what) {
  const hid_t id = std::exchange(id_, H5I_INVALID_HID);
  if (id >= 0) check(H5Idec_ref(id), what, base::ExitCode::io);
}

void Handle::reset() noexcept {
  const hid_t id = std::exchange(id_, H5I_INVALID_HID);
  if (id >= 0 && H5Idec_ref(id) < 0) H5Eclear2(H5E_DEFAULT);
}

}  // namespace h5score::h5
