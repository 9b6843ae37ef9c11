// Rows read and converted by the HDF5 library, for what byte ranges cannot express.
#include "h5score/base/narrow.hpp"
#include "h5score/h5/dataset.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/h5/sandbox.hpp"

#include "open_dataset.hpp"
#include "record_type.hpp"
#include "regular_driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace h5score::h5 {
namespace {

using base::Bytes;
using base::ElementType;
using base::Error;
using base::ExitCode;
using base::RowRange;

Handle variable_string_like(const Handle& dataset) {
  const std::string what = "a string type cannot be made";
  const Handle stored(H5Dget_type(dataset.get()), "a datatype cannot be read");
  Handle type(H5Tcopy(H5T_C_S1), what, ExitCode::internal);
  check(H5Tset_size(type.get(), H5T_VARIABLE), what, ExitCode::internal);
  check(H5Tset_cset(type.get(), H5Tget_cset(stored.get())), what, ExitCode::internal);
  return type;
}

// Strings as the library hands them out, freed by it again.
class Strings {
 public:
  Strings(const Handle& type, const Handle& space, u64 count) : type_(type), space_(space), text_(count, nullptr) {}
  Strings(const Strings&) = delete;
  Strings& operator=(const Strings&) = delete;
  ~Strings() {
    if (H5Dvlen_reclaim(type_.get(), space_.get(), H5P_DEFAULT, text_.data()) < 0) H5Eclear2(H5E_DEFAULT);
  }
  [[nodiscard]] char** data() { return text_.data(); }
  [[nodiscard]] std::string_view operator[](u64 i) const {
    return text_[i] == nullptr ? std::string_view() : std::string_view(text_[i]);
  }

 private:
  const Handle& type_;
  const Handle& space_;
  std::vector<char*> text_;
};

}  // namespace

class RowReader::Impl {
 public:
  explicit Impl(const DatasetFacts& facts) : facts_(facts), open_(facts, regular_access(facts.file)) {
    row_elements_ = base::checked_product(std::span(facts.shape).subspan(1));
  }

  Bytes read(RowRange rows, const ElementType& type) {
    const u64 elements = base::checked_mul(rows.size(), row_elements_);
    Bytes bytes(base::checked_mul(elements, type.size));
    if (bytes.empty()) return bytes;
    if (!facts_.variable_string) {
      read_into(rows, memory_type(type), bytes.data());
      return bytes;
    }
    u64 i = 0;
    for_each_string(rows, [&](std::string_view text) {
      if (text.size() > type.size)
        throw Error(ExitCode::data, where() + ": a text is longer than it was at the start",
                    std::to_string(text.size()) + " bytes, " + std::to_string(type.size) + " before");
      std::memcpy(bytes.data() + i++ * type.size, text.data(), text.size());
    });
    return bytes;
  }

  Bytes read_records(RowRange rows) {
    const Handle stored(H5Dget_type(open_.dataset.get()), "a datatype cannot be read");
    const Handle record = record_type(stored);
    if (!record || H5Tget_size(record.get()) != facts_.record_bytes)
      throw Error(ExitCode::data, where() + ": its records are not what they were");
    Bytes bytes(base::checked_mul(base::checked_mul(rows.size(), row_elements_), facts_.record_bytes));
    if (!bytes.empty()) read_into(rows, record, bytes.data());
    return bytes;
  }

  u32 longest_string() {
    constexpr u64 batch = u64{1} << 16;
    const u64 step = std::max<u64>(1, batch / std::max<u64>(1, row_elements_));
    std::size_t longest = 1;
    for (u64 row = 0; row < facts_.shape[0]; row += step) {
      const RowRange rows{row, std::min(facts_.shape[0], row + step)};
      Sandbox::step();
      for_each_string(rows, [&](std::string_view text) { longest = std::max(longest, text.size()); });
    }
    return base::narrow<u32>(longest);
  }

 private:
  [[nodiscard]] std::string where() const { return facts_.file + ": " + facts_.name; }

  // Bit fields do not convert: they are read as they are stored.
  [[nodiscard]] Handle memory_type(const ElementType& type) const {
    if (facts_.type && *facts_.type == type) return {H5Dget_type(open_.dataset.get()), "a datatype cannot be read"};
    return datatype(type);
  }

  [[nodiscard]] Handle memory_space(RowRange rows) const {
    const hsize_t elements = rows.size() * row_elements_;
    return {H5Screate_simple(1, &elements, nullptr), "a dataspace cannot be made", ExitCode::internal};
  }

  void read_into(RowRange rows, const Handle& type, void* out) const {
    const std::string what =
        where() + ": rows " + std::to_string(rows.begin) + ":" + std::to_string(rows.end) + " cannot be read";
    const Handle space(H5Dget_space(open_.dataset.get()), what);
    std::vector<hsize_t> start(facts_.shape.size(), 0);
    std::vector<hsize_t> count(facts_.shape.begin(), facts_.shape.end());
    start[0] = rows.begin;
    count[0] = rows.size();
    check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what);
    check(H5Dread(open_.dataset.get(), type.get(), memory_space(rows).get(), space.get(), H5P_DEFAULT, out), what);
  }

  template <class Visit>
  void for_each_string(RowRange rows, Visit visit) const {
    const Handle type = variable_string_like(open_.dataset);
    const Handle space = memory_space(rows);
    Strings strings(type, space, rows.size() * row_elements_);
    read_into(rows, type, strings.data());
    for (u64 i = 0; i < rows.size() * row_elements_; ++i) visit(strings[i]);
  }

  DatasetFacts facts_;
  OpenDataset open_;
  u64 row_elements_ = 1;
};

RowReader::RowReader(const DatasetFacts& facts) : impl_(std::make_unique<Impl>(facts)) {}
RowReader::RowReader(RowReader&&) noexcept = default;
RowReader& RowReader::operator=(RowReader&&) noexcept = default;
RowReader::~RowReader() = default;

Bytes RowReader::read(RowRange rows, const ElementType& type) {
  return impl_->read(rows, type);
}
Bytes RowReader::read_records(RowRange rows) {
  return impl_->read_records(rows);
}
u32 RowReader::longest_string() {
  return impl_->longest_string();
}

namespace {

// A file that a dataset's elements lie in; `places` are the names under which the library may find it. Missing ones are
// noted, what is there must be a regular file.
void look_for(const DatasetFacts& facts, const std::string& name, const std::vector<std::filesystem::path>& places,
              std::vector<std::string>& missing) {
  bool found = false;
  for (const auto& place : places) {
    std::error_code unreadable;
    const auto status = std::filesystem::status(place, unreadable);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
      throw Error(ExitCode::data, facts.file + ": " + facts.name + " has values in '" + name + "'",
                  "that is not a regular file");
    found = found || ::access(place.c_str(), R_OK) == 0;
  }
  if (!found && std::find(missing.begin(), missing.end(), name) == missing.end()) missing.push_back(name);
}

void look_for_sources(const DatasetFacts& facts, const Handle& creation, std::vector<std::string>& missing) {
  const std::string what = facts.file + ": " + facts.name + ": the virtual sources cannot be read";
  std::size_t count = 0;
  check(H5Pget_virtual_count(creation.get(), &count), what);
  const auto folder = std::filesystem::path(facts.file).parent_path();
  for (std::size_t i = 0; i < count; ++i) {
    const auto size = check(H5Pget_virtual_filename(creation.get(), i, nullptr, 0), what);
    std::string name(static_cast<std::size_t>(size), '\0');
    check(H5Pget_virtual_filename(creation.get(), i, name.data(), name.size() + 1), what);
    // "." is the file itself; a '%' stands for a series of files whose end is where they end.
    if (name == "." || name.find('%') != std::string::npos) continue;
    look_for(facts, name, {name, folder / name}, missing);
  }
}

// HDF5 looks for them in the folder that the program runs in, or where HDF5_EXTFILE_PREFIX says.
void look_for_externals(const DatasetFacts& facts, const Handle& creation, std::vector<std::string>& missing) {
  const std::string what = facts.file + ": " + facts.name + ": the external files cannot be read";
  const char* prefix = std::getenv("HDF5_EXTFILE_PREFIX");
  if (prefix != nullptr && *prefix != '\0') return;
  const int count = check(H5Pget_external_count(creation.get()), what);
  for (unsigned i = 0; i < static_cast<unsigned>(count); ++i) {
    std::array<char, 4097> name{};
    check(H5Pget_external(creation.get(), i, name.size() - 1, name.data(), nullptr, nullptr), what);
    look_for(facts, name.data(), {name.data()}, missing);
  }
}

}  // namespace

std::vector<std::string> missing_sources(const DatasetFacts& facts) {
  std::vector<std::string> missing;
  if (facts.layout != Layout::virtual_sources && facts.layout != Layout::external_files) return missing;
  const OpenDataset open(facts, regular_access(facts.file));
  const Handle creation(H5Dget_create_plist(open.dataset.get()), facts.file + ": " + facts.name);
  if (facts.layout == Layout::virtual_sources)
    look_for_sources(facts, creation, missing);
  else
    look_for_externals(facts, creation, missing);
  return missing;
}

}  // namespace h5score::h5
