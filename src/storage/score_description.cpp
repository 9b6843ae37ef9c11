// Reads what a score file holds. The file may be damaged or made to harm: every size is checked before an allocation,
// every place against the file's size.
#include "h5score/storage/score_description.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "score_layout.hpp"

#include <sys/stat.h>

#include <algorithm>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::check;
using h5::Handle;

constexpr u64 most_labels = 10'000'000;  // of a table, and lines of /inputs
constexpr u64 most_columns = 100'000;

[[noreturn]] void contradiction(const std::string& dataset, const std::string& why) {
  throw Error(ExitCode::data, dataset + " makes no sense", why, "the file is damaged");
}

class ScoreReader {
 public:
  explicit ScoreReader(const std::string& path) : file_(h5::open_file(path)) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
      throw Error(ExitCode::no_input, path + ": cannot be examined", base::errno_text(errno));
    result_.path = path;
    result_.inode = status.st_ino;
    result_.file_size = base::narrow<u64>(status.st_size);
  }

  ScoreDescription read() {
    check_version();
    result_.identity = read_text(layout::identity);
    if (h5::exists(file_, layout::features)) result_.features = read_text(layout::features);
    if (h5::exists(file_, layout::options)) result_.options = read_text(layout::options);
    read_boundaries();
    keep(layout::boundaries, h5::open_dataset(file_, layout::boundaries), sizeof(u64));
    for (const char* changing : {layout::ledger, layout::runs})
      keep_header(changing, h5::open_dataset(file_, changing));
    result_.ledger_extent = extent_of(layout::ledger, h5::open_dataset(file_, layout::ledger), 8);
    result_.ledger = read_numbers(layout::ledger);
    read_runs();
    for (const auto& path : read_paths(layout::columns)) read_column(path);
    for (const auto& path : read_paths(layout::tables)) read_table(path);
    read_inputs();
    layout::require_consistent(result_);
    require_free_places();
    return std::move(result_);
  }

 private:
  void check_version() const {
    if (!h5::exists(file_, layout::group)) throw Error(ExitCode::data, "not a score file", "it has no group /h5score");
    const i64 found = h5::read_integer_attribute(h5::open_group(file_, layout::group), layout::version_attribute);
    if (found != layout::version)
      throw Error(ExitCode::data, "the score file has format version " + std::to_string(found),
                  "this program knows version " + std::to_string(layout::version), "use the h5score that wrote it");
  }

  // Where a contiguous dataset's elements lie; Error if that is not inside the file. Nothing is said of other layouts
  // (repacked, compressed score files): size 0.
  [[nodiscard]] Extent extent_of(const std::string& path, const Handle& dataset, u64 element_bytes) const {
    const Handle creation(H5Dget_create_plist(dataset.get()), path + " cannot be read");
    const u64 bytes = base::checked_product(h5::shape_of(dataset), element_bytes);
    const bool plain = H5Pget_layout(creation.get()) == H5D_CONTIGUOUS && H5Pget_external_count(creation.get()) == 0;
    if (bytes == 0 || !plain) return {};
    const haddr_t offset = H5Dget_offset(dataset.get());
    if (offset == HADDR_UNDEF || base::checked_add(offset, bytes) > result_.file_size)
      contradiction(path, "it lies outside the file");
    return {offset, bytes};
  }

  // What no run may write over: the superblock, and each dataset that only describes, with its header.
  void keep(const std::string& path, const Handle& dataset, u64 element_bytes) {
    const Extent values = extent_of(path, dataset, element_bytes);
    if (values.size != 0) fixed_.push_back(values);
    keep_header(path, dataset);
  }

  void keep_header(const std::string& path, const Handle& dataset) {
    H5O_info_t info{};
    check(H5Oget_info(dataset.get(), &info), path + " cannot be read");
    // Of a header in several pieces only the first one's place is told, and none one's size.
    constexpr u64 prefix = 16;
    fixed_.push_back({info.addr, info.hdr.nchunks == 1 ? info.hdr.space.total : prefix});
  }

  // Results, ledger and records of runs are written where the file says that they lie: nothing else may lie there.
  void require_free_places() const {
    std::vector<Extent> places = result_.column_extents;
    places.push_back(result_.ledger_extent);
    places.push_back(result_.runs_extent);
    places.push_back(result_.alive_extent);
    for (const Extent& place : places)
      for (const Extent& fixed : fixed_)
        if (place.size != 0 && place.offset < fixed.offset + fixed.size && fixed.offset < place.offset + place.size)
          contradiction("the placement of the datasets", "results would be written over what describes them");
  }

  // Small datasets of our own are contiguous, so that their size is bounded by the file's.
  [[nodiscard]] u64 checked_count(const std::string& path, const Handle& dataset, u64 element_bytes) const {
    const auto shape = h5::shape_of(dataset);
    if (shape.size() != 1) contradiction(path, "it is not one-dimensional");
    if (shape[0] != 0 && extent_of(path, dataset, element_bytes).size == 0) contradiction(path, "it is not contiguous");
    return shape[0];
  }

  // A whole own dataset whose stored type must be exactly `type`.
  template <class T>
  std::vector<T> read_exactly(const std::string& path, const Handle& type) const {
    const Handle dataset = h5::open_dataset(file_, path);
    const Handle stored(H5Dget_type(dataset.get()), path + " cannot be read");
    if (check(H5Tequal(stored.get(), type.get()), path + " cannot be read") == 0)
      contradiction(path, "its type is another");
    std::vector<T> values(checked_count(path, dataset, sizeof(T)));
    if (!values.empty())
      check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), path + " cannot be read");
    return values;
  }

  [[nodiscard]] std::vector<u64> read_numbers(const std::string& path) const {
    return read_exactly<u64>(path, h5::datatype({.kind = base::ElementKind::unsigned_integer, .size = 8}));
  }

  [[nodiscard]] std::string read_text(const std::string& path) {
    keep(path, h5::open_dataset(file_, path), 1);
    const auto bytes = read_exactly<char>(path, h5::datatype({.kind = base::ElementKind::unsigned_integer, .size = 1}));
    return {bytes.begin(), bytes.end()};
  }

  void read_boundaries() {
    result_.boundaries = read_numbers(layout::boundaries);
    if (result_.boundaries.empty()) contradiction(layout::boundaries, "it is empty");
    result_.rows = result_.boundaries.back();
  }

  void read_runs() {
    result_.runs_extent = extent_of(layout::runs, h5::open_dataset(file_, layout::runs), layout::run_bytes);
    const auto records = read_exactly<layout::RunRecord>(layout::runs, layout::run_type());
    if (records.size() != layout::run_slots) contradiction(layout::runs, "it has another number of slots");
    const auto signs = read_signs_of_life();
    std::vector<std::pair<RunFacts, i64>> runs;
    for (std::size_t i = 0; i < records.size(); ++i)
      if (const RunFacts run = layout::unpack(records[i]); run.start_ns != 0)
        runs.emplace_back(run, signs[i].start_ns == run.start_ns ? signs[i].alive_ns : 0);
    std::stable_sort(runs.begin(), runs.end(),
                     [](const auto& a, const auto& b) { return a.first.start_ns < b.first.start_ns; });
    for (const auto& [run, alive_ns] : runs) {
      result_.runs.push_back(run);
      result_.alive_ns.push_back(alive_ns);
    }
  }

  [[nodiscard]] std::vector<layout::SignOfLife> read_signs_of_life() {
    if (!h5::exists(file_, layout::alive)) return std::vector<layout::SignOfLife>(layout::run_slots);
    result_.alive_extent = extent_of(layout::alive, h5::open_dataset(file_, layout::alive), sizeof(layout::SignOfLife));
    auto signs = read_exactly<layout::SignOfLife>(layout::alive, layout::sign_of_life_type());
    if (signs.size() != layout::run_slots) contradiction(layout::alive, "it has another number of slots");
    return signs;
  }

  [[nodiscard]] std::vector<std::string> read_paths(const std::string& path) {
    const Handle dataset = h5::open_dataset(file_, path);
    const Handle stored(H5Dget_type(dataset.get()), path + " cannot be read");
    const bool fixed = H5Tget_class(stored.get()) == H5T_STRING && H5Tis_variable_str(stored.get()) == 0;
    if (!fixed) contradiction(path, "its type is another");
    static_cast<void>(checked_count(path, dataset, H5Tget_size(stored.get())));
    keep(path, dataset, H5Tget_size(stored.get()));
    return h5::read_strings(dataset, most_columns);
  }

  void read_column(const std::string& path) {
    const Handle dataset = h5::open_dataset(file_, path);
    const auto type = h5::element_type(Handle(H5Dget_type(dataset.get()), path + " cannot be read"));
    auto shape = h5::shape_of(dataset);
    if (!type) contradiction(path, "its type is not one that h5score writes");
    if (shape.empty() || shape[0] != result_.rows) contradiction(path, "its number of rows is another");
    shape.erase(shape.begin());
    result_.columns.push_back(
        {.path = path, .type = *type, .row_shape = std::move(shape), .dimension = {}, .attributes = {}});
    result_.column_extents.push_back(extent_of(path, dataset, type->size));
    keep_header(path, dataset);
  }

  void read_table(const std::string& path) {
    const Handle dataset = h5::open_dataset(file_, path);
    const Handle type(H5Dget_type(dataset.get()), path + " cannot be read");
    static_cast<void>(checked_count(path, dataset, H5Tget_size(type.get())));
    keep(path, dataset, H5Tget_size(type.get()));
    LabelTable table{path, {}};
    if (H5Tget_class(type.get()) == H5T_STRING) table.labels = h5::read_strings(dataset, most_labels);
    if (H5Tget_class(type.get()) == H5T_INTEGER) table.labels = h5::read_integers(dataset, most_labels);
    if (H5Tget_class(type.get()) == H5T_FLOAT) table.labels = h5::read_doubles(dataset, most_labels);
    result_.tables.push_back(std::move(table));
  }

  // Bytes of a fixed-length text field of a compound; contradiction if there is none of that name.
  static std::size_t field_bytes(const Handle& compound, const char* name) {
    const int index = H5Tget_member_index(compound.get(), name);
    if (index < 0) contradiction(layout::inputs, std::string("it has no field ") + name);
    const Handle field(H5Tget_member_type(compound.get(), static_cast<unsigned>(index)), "/inputs cannot be read");
    if (H5Tget_class(field.get()) != H5T_STRING || H5Tis_variable_str(field.get()) != 0)
      contradiction(layout::inputs, std::string(name) + " is not text of a fixed length");
    return H5Tget_size(field.get());
  }

  void read_inputs() {
    const Handle dataset = h5::open_dataset(file_, layout::inputs);
    const Handle stored(H5Dget_type(dataset.get()), "/inputs cannot be read");
    if (H5Tget_class(stored.get()) != H5T_COMPOUND) contradiction(layout::inputs, "its type is another");
    const std::size_t path_bytes = field_bytes(stored, "path");
    const std::size_t dataset_bytes = field_bytes(stored, "dataset");
    const Handle type = layout::input_type(path_bytes, dataset_bytes);
    if (H5Tequal(stored.get(), type.get()) <= 0) contradiction(layout::inputs, "its type is another");
    const std::size_t record_bytes = H5Tget_size(type.get());
    const u64 n = checked_count(layout::inputs, dataset, record_bytes);
    keep(layout::inputs, dataset, record_bytes);
    std::vector<char> bytes(n * record_bytes);
    if (n != 0)
      check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), "/inputs cannot be read");
    for (u64 i = 0; i < n; ++i) {
      const char* record = bytes.data() + i * record_bytes;
      InputRecord input{.path = layout::text_of(record, path_bytes),
                        .dataset = layout::text_of(record + path_bytes, dataset_bytes)};
      const char* numbers = record + path_bytes + dataset_bytes;
      for (u64* number : {&input.first_row, &input.rows, &input.size}) {
        std::copy_n(numbers, sizeof(u64), reinterpret_cast<char*>(number));
        numbers += sizeof(u64);
      }
      std::copy_n(numbers, sizeof(u64), reinterpret_cast<char*>(&input.mtime_ns));
      result_.inputs.push_back(std::move(input));
    }
  }

  Handle file_;
  ScoreDescription result_;
  std::vector<Extent> fixed_{{0, 96}};
};

}  // namespace

void layout::require_consistent(const ScoreDescription& scores) {
  const auto& b = scores.boundaries;
  if (b.empty() || b.front() != 0 || b.back() != scores.rows ||
      std::adjacent_find(b.begin(), b.end(), std::greater_equal<>()) != b.end())
    contradiction(boundaries, "the blocks do not ascend from row 0 to the last row");
  if (scores.ledger.size() != scores.blocks()) contradiction(ledger, "it has another number of blocks");
  if (scores.column_extents.size() != scores.columns.size()) contradiction(columns, "it has another number of columns");
  std::vector<Extent> places = scores.column_extents;
  places.push_back(scores.ledger_extent);
  places.push_back(scores.runs_extent);
  places.push_back(scores.alive_extent);
  std::erase_if(places, [](const Extent& e) { return e.size == 0; });
  std::sort(places.begin(), places.end(), [](const Extent& a, const Extent& c) { return a.offset < c.offset; });
  for (std::size_t i = 1; i < places.size(); ++i)
    if (places[i - 1].offset + places[i - 1].size > places[i].offset)
      contradiction("the placement of the datasets", "two overlap");
}

ScoreDescription read_scores(const std::string& path) {
  try {
    return ScoreReader(path).read();
  } catch (const Error& error) {
    const std::string text = error.what();
    if (text.rfind(path, 0) == 0) throw;
    throw error.in(path);
  }
}

base::Bytes read_scores_handler(base::ByteView request) {
  return base::to_bytes(read_scores(base::from_bytes<std::string>(request)));
}

}  // namespace h5score::storage
