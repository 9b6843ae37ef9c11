// Makes a new score file's metadata: every dataset allocated, the small tables filled, the results left as they are.
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/storage/compressed_copy.hpp"

#include "axis_names.hpp"
#include "dimension_scales.hpp"
#include "score_layout.hpp"

#include <algorithm>

namespace h5score::storage {

using base::ExitCode;
using h5::check;
using h5::Handle;

u64 ScoreColumn::row_bytes() const {
  return base::checked_product(row_shape, type.size);
}

ScoreColumn label_column(const std::string& path, const std::string& classes) {
  ScoreColumn column{.path = path,
                     .type = {.kind = base::ElementKind::signed_integer, .size = 4},
                     .row_shape = {},
                     .dimension = {},
                     .attributes = {}};
  column.attributes.push_back({"missing_value", i64{-1}});
  column.attributes.push_back({"long_name", "index into " + classes + ", -1 = missing"});
  return column;
}

ScoreColumn status_column(const std::string& path) {
  ScoreColumn column{.path = path,
                     .type = {.kind = base::ElementKind::unsigned_integer, .size = 1},
                     .row_shape = {},
                     .dimension = {},
                     .attributes = {}};
  column.attributes.push_back({"flag_masks", std::vector<i64>{1, 2}});
  column.attributes.push_back({"flag_meanings", "missing nonfinite"});
  column.attributes.push_back({"long_name", "bit flags of each row, 0 = ok"});
  return column;
}

namespace layout {
namespace {

// The 64 KiB limit of attributes does not bind here: everything of unknown length is a dataset.
class MetadataWriter {
 public:
  MetadataWriter(const Handle& file, const ScoreFileSpec& spec) : file_(file), spec_(spec), scales_(file) {
    for (const auto& column : spec.columns) names_.take(column.path);
    for (const auto& table : spec.tables) names_.take(table.path);
  }

  void write() {
    for (const auto& table : spec_.tables) write_table(table);
    write_inputs();
    write_own();
    const std::string row = names_.free_name("/row");
    scales_.name_only(row, spec_.rows);
    const std::string input = names_.free_name("/input");
    scales_.name_only(input, spec_.inputs.size());
    scales_.attach(inputs, {input});
    for (const auto& column : spec_.columns) write_column(column, row);
    scales_.write();
  }

 private:
  // `chunk_rows`: compressed in chunks of so many rows; 0: in one piece.
  Handle create(const std::string& path, const Handle& type, const std::vector<u64>& shape, u64 chunk_rows = 0) const {
    const std::string what = "the dataset " + path + " cannot be created";
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Handle space(H5Screate_simple(base::narrow<int>(extents.size()), extents.data(), nullptr), what,
                       ExitCode::cant_create);
    const Handle links(H5Pcreate(H5P_LINK_CREATE), what, ExitCode::internal);
    check(H5Pset_create_intermediate_group(links.get(), 1), what, ExitCode::internal);
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE), what, ExitCode::internal);
    if (chunk_rows != 0)
      compress(creation, type, extents, chunk_rows, what);
    else
      check(H5Pset_layout(creation.get(), H5D_CONTIGUOUS), what, ExitCode::internal);
    const auto allocated = chunk_rows != 0 ? H5D_ALLOC_TIME_INCR : H5D_ALLOC_TIME_EARLY;
    check(H5Pset_alloc_time(creation.get(), allocated), what, ExitCode::internal);
    if (H5Tis_variable_str(type.get()) <= 0)  // pointers into a heap must begin as none
      check(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), what, ExitCode::internal);
    check(H5Pset_obj_track_times(creation.get(), 0), what, ExitCode::internal);
    return {H5Dcreate2(file_.get(), path.c_str(), type.get(), space.get(), links.get(), creation.get(), H5P_DEFAULT),
            what, ExitCode::cant_create};
  }

  void compress(const Handle& creation, const Handle& type, std::vector<hsize_t> chunk, u64 chunk_rows,
                const std::string& what) const {
    chunk[0] = chunk_rows;
    check(H5Pset_chunk(creation.get(), base::narrow<int>(chunk.size()), chunk.data()), what, ExitCode::cant_create);
    if (H5Tget_class(type.get()) != H5T_STRING && H5Tget_size(type.get()) > 1)
      check(H5Pset_shuffle(creation.get()), what, ExitCode::internal);
    check(H5Pset_deflate(creation.get(), spec_.gzip), what, ExitCode::internal);
  }

  void fill(const std::string& path, const Handle& type, u64 size, const void* values) const {
    const Handle dataset = create(path, type, {size});
    if (size != 0)
      check(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path + " cannot be written",
            ExitCode::cant_create);
  }

  void fill_texts(const std::string& path, const std::vector<std::string>& texts) const {
    std::size_t length = 1;
    for (const auto& text : texts) length = std::max(length, text.size());
    std::string bytes;
    for (const auto& text : texts) bytes += fixed_text(text, length);
    fill(path, text_type(length), texts.size(), bytes.data());
  }

  // Text labels have variable length: libnetcdf 4.9 reads arrays of fixed-length text wrongly.
  void write_table(const LabelTable& table) {
    if (const auto* texts = std::get_if<std::vector<std::string>>(&table.labels)) {
      const Handle type = h5::datatype({.kind = base::ElementKind::fixed_string, .size = 1, .utf8 = true});
      check(H5Tset_strpad(type.get(), H5T_STR_NULLTERM), table.path, ExitCode::internal);
      check(H5Tset_size(type.get(), H5T_VARIABLE), table.path, ExitCode::internal);
      std::vector<const char*> pointers;
      for (const auto& text : *texts) pointers.push_back(text.c_str());
      fill(table.path, type, pointers.size(), pointers.data());
    }
    if (const auto* integers = std::get_if<std::vector<i64>>(&table.labels))
      fill(table.path, h5::datatype({.kind = base::ElementKind::signed_integer, .size = 8}), integers->size(),
           integers->data());
    if (const auto* reals = std::get_if<std::vector<double>>(&table.labels))
      fill(table.path, h5::datatype({.kind = base::ElementKind::floating, .size = 8}), reals->size(), reals->data());
    scales_.labels(table.path);
  }

  void write_inputs() {
    std::size_t path_bytes = 1;
    std::size_t dataset_bytes = 1;
    for (const auto& input : spec_.inputs) {
      path_bytes = std::max(path_bytes, input.path.size());
      dataset_bytes = std::max(dataset_bytes, input.dataset.size());
    }
    std::string bytes;
    for (const auto& input : spec_.inputs) {
      bytes += fixed_text(input.path, path_bytes) + fixed_text(input.dataset, dataset_bytes);
      for (const u64 number : {input.first_row, input.rows, input.size, static_cast<u64>(input.mtime_ns)})
        bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    fill(inputs, input_type(path_bytes, dataset_bytes), spec_.inputs.size(), bytes.data());
  }

  void write_own() const {
    const Handle own = h5::create_group(file_, group);
    h5::write_attribute(own, version_attribute, version);
    const Handle u8_type = h5::datatype({.kind = base::ElementKind::unsigned_integer, .size = 1});
    const Handle u64_type = h5::datatype({.kind = base::ElementKind::unsigned_integer, .size = 8});
    fill(identity, u8_type, spec_.identity.size(), spec_.identity.data());
    fill(features, u8_type, spec_.features.size(), spec_.features.data());
    fill(options, u8_type, spec_.options.size(), spec_.options.data());
    fill(boundaries, u64_type, spec_.boundaries.size(), spec_.boundaries.data());
    static_cast<void>(create(ledger, u64_type, {spec_.boundaries.size() - 1}));
    static_cast<void>(create(runs, run_type(), {run_slots}));
    static_cast<void>(create(alive, sign_of_life_type(), {run_slots}));
    std::vector<std::string> column_paths;
    for (const auto& column : spec_.columns) column_paths.push_back(column.path);
    fill_texts(columns, column_paths);
    std::vector<std::string> table_paths;
    for (const auto& table : spec_.tables) table_paths.push_back(table.path);
    fill_texts(tables, table_paths);
  }

  void write_column(const ScoreColumn& column, const std::string& row) {
    std::vector<u64> shape{spec_.rows};
    shape.insert(shape.end(), column.row_shape.begin(), column.row_shape.end());
    const u64 row_bytes = column.row_bytes();
    const bool compressed = spec_.gzip != 0 && spec_.rows != 0 && row_bytes != 0;
    const u64 chunk_rows = compressed ? rows_per_chunk(spec_.rows, row_bytes) : 0;
    const Handle dataset = create(column.path, h5::datatype(column.type), shape, chunk_rows);
    for (const auto& attribute : column.attributes) write_attribute(dataset, column, attribute);
    std::vector<std::string> axes(shape.size());
    axes[0] = row;
    for (std::size_t axis = 1; axis < shape.size(); ++axis) {
      const bool named = axis == 1 && !column.dimension.empty();
      const bool is_table =
          named && std::any_of(spec_.tables.begin(), spec_.tables.end(),
                               [&](const LabelTable& table) { return table.path == column.dimension; });
      axes[axis] = named ? column.dimension : unnamed_axis(shape, axis);
      if (!is_table) axes[axis] = names_.free_name(axes[axis]);
      scales_.name_only(axes[axis], shape[axis]);  // already there where it is a table; then the size is checked
    }
    scales_.attach(column.path, axes);
  }

  static void write_attribute(const Handle& dataset, const ScoreColumn& column, const Attribute& attribute) {
    if (const auto* text = std::get_if<std::string>(&attribute.value))
      h5::write_attribute(dataset, attribute.name, *text);
    if (const auto* real = std::get_if<double>(&attribute.value)) h5::write_attribute(dataset, attribute.name, *real);
    if (const auto* one = std::get_if<i64>(&attribute.value))
      write_integers(dataset, column, attribute.name, {*one}, true);
    if (const auto* list = std::get_if<std::vector<i64>>(&attribute.value))
      write_integers(dataset, column, attribute.name, *list, false);
    if (const auto* numbers = std::get_if<h5::Numbers>(&attribute.value))
      write_numbers(dataset, column, attribute.name, *numbers);
  }

  static void write_numbers(const Handle& dataset, const ScoreColumn& column, const std::string& name,
                            const h5::Numbers& numbers) {
    const std::string what = "the attribute " + name + " of " + column.path + " cannot be written";
    const Handle type = h5::datatype(numbers.type);
    const hsize_t extent = numbers.values.size() / numbers.type.size;
    const Handle space(extent == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, nullptr), what,
                       ExitCode::internal);
    const Handle attribute(H5Acreate2(dataset.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                           what, ExitCode::cant_create);
    check(H5Awrite(attribute.get(), type.get(), numbers.values.data()), what, ExitCode::cant_create);
  }

  static void write_integers(const Handle& dataset, const ScoreColumn& column, const std::string& name,
                             const std::vector<i64>& values, bool scalar) {
    const std::string what = "the attribute " + name + " of " + column.path + " cannot be written";
    const bool integer = column.type.numeric() && column.type.kind != base::ElementKind::floating;
    const Handle type = h5::datatype(integer ? column.type : base::ElementType{base::ElementKind::signed_integer, 8});
    const hsize_t extent = values.size();
    const Handle space(scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &extent, nullptr), what,
                       ExitCode::internal);
    const Handle attribute(H5Acreate2(dataset.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
                           what, ExitCode::cant_create);
    check(H5Awrite(attribute.get(), H5T_NATIVE_INT64, values.data()), what, ExitCode::cant_create);
  }

  const Handle& file_;
  const ScoreFileSpec& spec_;
  DimensionScales scales_;
  TakenNames names_;
};

}  // namespace

Handle open_with_metadata(const std::string& path, const ScoreFileSpec& spec) {
  h5::initialise();
  const Handle access = spec.gzip != 0 ? dense_file_access() : file_access();
  Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), path + ": cannot be created",
              ExitCode::cant_create);
  MetadataWriter(file, spec).write();
  return file;
}

h5::MemoryFile make_metadata(const ScoreFileSpec& spec) {
  h5::MemoryFile memory;
  Handle file = h5::create_file(memory, file_access());
  MetadataWriter(file, spec).write();
  file.close("the metadata of a score file cannot be made");
  memory.check();
  return memory;
}

}  // namespace layout
}  // namespace h5score::storage
