// Virtual datasets over inputs and scores, with their attributes and dimension scales.
#include "view_writer.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/h5/memory_file.hpp"

#include "axis_names.hpp"
#include "dimension_scales.hpp"
#include "meaning.hpp"
#include "score_layout.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <optional>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::check;
using h5::Handle;

constexpr const char* what = "the view cannot be written";
constexpr u64 most_members = 1'000'000;
constexpr u64 most_attributes = 100'000;
constexpr hsize_t most_attribute_bytes = 60'000;  // larger ones need another kind of file

/// A dataset's rows in one file, as a source of a virtual dataset.
struct Piece {
  std::string file;  ///< as the view names it
  std::string dataset;
  u64 first_row = 0;  ///< in the view
  u64 rows = 0;
  u64 dataset_row = 0;
  std::vector<u64> shape;  ///< of the dataset
};

/// What the view shows of an input: a dataset that all files have.
struct Shown {
  std::string name;
  Handle type;
  std::vector<u64> shape;  ///< of one file's; the first extent is another in each
  std::vector<h5::Attribute> meaning;
  std::vector<Piece> pieces;
};

Handle simple_space(const std::vector<u64>& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return {H5Screate_simple(base::narrow<int>(extents.size()), extents.data(), nullptr), what, ExitCode::internal};
}

Handle rows_of(const std::vector<u64>& shape, u64 first, u64 rows) {
  Handle space = simple_space(shape);
  std::vector<hsize_t> start(shape.size(), 0);
  std::vector<hsize_t> count(shape.begin(), shape.end());
  start[0] = first;
  count[0] = rows;
  check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what,
        ExitCode::internal);
  return space;
}

// A source's name is a pattern in which % has a meaning.
std::string escaped(const std::string& name) {
  std::string result;
  for (const char c : name) result.append(c == '%' ? 2 : 1, c);
  return result;
}

// Relative to `folder` where both lie in one tree; the library looks there first.
std::string source_name(const std::string& path, const std::string& folder) {
  namespace fs = std::filesystem;
  const fs::path file(path);
  const fs::path target = fs::weakly_canonical(fs::absolute(file).parent_path()) / file.filename();
  const fs::path from = fs::weakly_canonical(fs::absolute(folder));
  const bool one_tree = std::next(from.begin()) != from.end() && std::next(target.begin()) != target.end() &&
                        *std::next(from.begin()) == *std::next(target.begin());
  return (one_tree ? target.lexically_relative(from) : target).string();
}

bool is_floating(const Handle& type) {
  return H5Tget_class(type.get()) == H5T_FLOAT;
}

std::optional<Handle> common_record(const Handle& a, const Handle& b);

// The type that holds the values of both, or none.
std::optional<Handle> common_type(const Handle& a, const Handle& b) {
  if (check(H5Tequal(a.get(), b.get()), what) > 0) return Handle(H5Tcopy(a.get()), what);
  const H5T_class_t first = H5Tget_class(a.get());
  const H5T_class_t second = H5Tget_class(b.get());
  const auto larger = [&] {
    return Handle(H5Tcopy(H5Tget_size(a.get()) >= H5Tget_size(b.get()) ? a.get() : b.get()), what);
  };
  const bool numbers = (first == H5T_INTEGER || first == H5T_FLOAT) && (second == H5T_INTEGER || second == H5T_FLOAT);
  if (numbers && first == second && (first == H5T_FLOAT || H5Tget_sign(a.get()) == H5Tget_sign(b.get())))
    return larger();
  if (numbers) return Handle(H5Tcopy(H5T_IEEE_F64LE), what);
  if (first == H5T_STRING && second == H5T_STRING && H5Tis_variable_str(a.get()) == H5Tis_variable_str(b.get()))
    return larger();
  if (first != H5T_COMPOUND || second != H5T_COMPOUND) return std::nullopt;
  return common_record(a, b);
}

Handle field_type(const Handle& record, unsigned field) {
  return {H5Tget_member_type(record.get(), field), what};
}

std::string field_name(const Handle& record, unsigned field) {
  char* const name = H5Tget_member_name(record.get(), field);
  if (name == nullptr) throw Error(ExitCode::data, what, "a field has no name");
  std::string text(name);
  static_cast<void>(H5free_memory(name));
  return text;
}

// The fields of `a`, by their names, as wide as in the wider one. The library converts records field by field.
std::optional<Handle> common_record(const Handle& a, const Handle& b) {
  const auto fields = static_cast<unsigned>(check(H5Tget_nmembers(a.get()), what));
  std::vector<Handle> types;
  std::size_t size = 0;
  bool same = true;
  for (unsigned i = 0; i < fields; ++i) {
    const int there = H5Tget_member_index(b.get(), field_name(a, i).c_str());
    if (there < 0) return std::nullopt;
    const Handle own = field_type(a, i);
    auto common = common_type(own, field_type(b, static_cast<unsigned>(there)));
    if (!common) return std::nullopt;
    same = same && check(H5Tequal(common->get(), own.get()), what) > 0;
    size += H5Tget_size(common->get());
    types.push_back(std::move(*common));
  }
  if (same) return Handle(H5Tcopy(a.get()), what);
  Handle record(H5Tcreate(H5T_COMPOUND, size), what);
  std::size_t offset = 0;
  for (unsigned i = 0; i < fields; ++i) {
    check(H5Tinsert(record.get(), field_name(a, i).c_str(), offset, types[i].get()), what);
    offset += H5Tget_size(types[i].get());
  }
  return record;
}

// What belongs to a dataset's place in its own file is left behind.
void copy_attributes(const Handle& from, const Handle& to) {
  static constexpr std::array left{"CLASS",          "NAME",          "DIMENSION_LIST",     "DIMENSION_LABELS",
                                   "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates"};
  for (const auto& name : h5::attribute_names(from, most_attributes)) {
    if (std::find(left.begin(), left.end(), name) != left.end()) continue;
    const std::string problem = "the attribute " + name + " cannot be copied";
    const Handle attribute(H5Aopen(from.get(), name.c_str(), H5P_DEFAULT), problem);
    const Handle type(H5Tcopy(Handle(H5Aget_type(attribute.get()), problem).get()), problem);
    const Handle space(H5Aget_space(attribute.get()), problem);
    if (H5Tdetect_class(type.get(), H5T_REFERENCE) > 0 || H5Aget_storage_size(attribute.get()) > most_attribute_bytes)
      continue;
    const auto elements = base::narrow<u64>(check(H5Sget_simple_extent_npoints(space.get()), problem));
    std::vector<std::byte> value(std::max<u64>(1, base::checked_mul(elements, H5Tget_size(type.get()))));
    const Handle copy(H5Acreate2(to.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), problem);
    if (elements == 0) continue;
    check(H5Aread(attribute.get(), type.get(), value.data()), problem);
    const herr_t written = H5Awrite(copy.get(), type.get(), value.data());
    if (H5Tdetect_class(type.get(), H5T_VLEN) > 0 || H5Tis_variable_str(type.get()) > 0)
      check(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, value.data()), problem);
    check(written, problem);
  }
}

class ViewWriter {
 public:
  ViewWriter(const Handle& file, const ViewSpec& spec)
      : spec_(spec),
        folder_(std::filesystem::absolute(spec.path).parent_path().string()),
        file_(file),
        scores_(h5::open_file(spec.scores)),
        scales_(file_) {}

  std::vector<std::string> write() {
    for (const auto& column : spec_.columns) names_.take(column.path);
    for (const auto& table : spec_.tables) names_.take(table);
    names_.take(layout::inputs);
    for (const auto& table : spec_.tables) copy(table);
    for (const auto& table : spec_.tables) scales_.labels(table);
    copy(layout::inputs);
    std::vector<Shown> shown;
    if (spec_.kind == TableKind::sparse)
      link_inputs();
    else
      shown = find_columns();
    for (auto& column : shown) {
      column.name = names_.free_name(column.name);
      names_.take(column.name);
    }
    row_ = names_.free_name("/row");
    scales_.name_only(row_, spec_.rows);
    const std::string input = names_.free_name("/input");
    scales_.name_only(input, h5::shape_of(h5::open_dataset(file_, layout::inputs)).at(0));
    scales_.attach(layout::inputs, {input});
    for (const auto& column : spec_.columns) show_scores(column);
    for (const auto& column : shown) show_input(column);
    scales_.write();
    return std::move(notes_);
  }

 private:
  // Small datasets are copied; scales are marked anew.
  void copy(const std::string& path) const {
    const Handle links(H5Pcreate(H5P_LINK_CREATE), what, ExitCode::internal);
    check(H5Pset_create_intermediate_group(links.get(), 1), what, ExitCode::internal);
    const Handle copying(H5Pcreate(H5P_OBJECT_COPY), what, ExitCode::internal);
    check(H5Pset_copy_object(copying.get(), H5O_COPY_WITHOUT_ATTR_FLAG), what, ExitCode::internal);
    check(H5Ocopy(scores_.get(), path.c_str(), file_.get(), path.c_str(), copying.get(), links.get()),
          path + " cannot be copied");
  }

  Handle create(const std::string& path, const Handle& type, const std::vector<u64>& shape,
                const std::vector<Piece>& pieces, std::optional<double> fill) const {
    const Handle creation(H5Pcreate(H5P_DATASET_CREATE), what, ExitCode::internal);
    check(H5Pset_obj_track_times(creation.get(), 0), what, ExitCode::internal);
    if (fill) check(H5Pset_fill_value(creation.get(), H5T_NATIVE_DOUBLE, &*fill), what, ExitCode::internal);
    for (const auto& piece : pieces) {
      if (piece.rows == 0) continue;
      check(
          H5Pset_virtual(creation.get(), rows_of(shape, piece.first_row, piece.rows).get(), escaped(piece.file).c_str(),
                         escaped(piece.dataset).c_str(), rows_of(piece.shape, piece.dataset_row, piece.rows).get()),
          path + " cannot be shown");
    }
    const Handle links(H5Pcreate(H5P_LINK_CREATE), what, ExitCode::internal);
    check(H5Pset_create_intermediate_group(links.get(), 1), what, ExitCode::internal);
    return {H5Dcreate2(file_.get(), path.c_str(), type.get(), simple_space(shape).get(), links.get(), creation.get(),
                       H5P_DEFAULT),
            path + " cannot be created", ExitCode::cant_create};
  }

  // Axis 0 is the rows; every other axis has a name, too, for readers that ask for it.
  void attach(const std::string& path, const std::vector<u64>& shape, const std::string& dimension) {
    std::vector<std::string> axes(shape.size());
    axes[0] = row_;
    for (std::size_t axis = 1; axis < shape.size(); ++axis) {
      const bool is_table = std::find(spec_.tables.begin(), spec_.tables.end(), dimension) != spec_.tables.end();
      if (axis == 1 && !dimension.empty())
        axes[axis] = is_table ? dimension : names_.free_name(dimension);
      else
        axes[axis] = names_.free_name(unnamed_axis(shape, axis));
      scales_.name_only(axes[axis], shape[axis]);
    }
    scales_.attach(path, axes);
  }

  void show_scores(const ScoreColumn& column) {
    const Handle source = h5::open_dataset(scores_, column.path);
    const Handle type(H5Tcopy(Handle(H5Dget_type(source.get()), what).get()), what);
    const auto shape = h5::shape_of(source);
    const Piece whole{source_name(spec_.scores, folder_), column.path, 0, spec_.rows, 0, shape};
    std::optional<double> fill;  // what a reader gets where the score file is not found
    if (is_floating(type)) fill = std::numeric_limits<double>::quiet_NaN();
    for (const auto& attribute : column.attributes)
      if (const auto* missing = std::get_if<i64>(&attribute.value);
          attribute.name == "missing_value" && missing != nullptr)
        fill = static_cast<double>(*missing);
    copy_attributes(source, create(column.path, type, shape, {whole}, fill));
    attach(column.path, shape, column.dimension);
  }

  void show_input(const Shown& column) {
    auto shape = column.shape;
    shape[0] = spec_.rows;
    std::optional<double> fill;
    if (is_floating(column.type)) fill = std::numeric_limits<double>::quiet_NaN();
    const Handle dataset = create(column.name, column.type, shape, column.pieces, fill);
    const Handle first = h5::open_file(first_file().path);
    copy_attributes(h5::open_dataset(first, column.pieces.front().dataset), dataset);
    attach(column.name, shape, {});
  }

  [[nodiscard]] const FileRecord& first_file() const {
    return *std::find_if(spec_.files.begin(), spec_.files.end(), [](const FileRecord& f) { return f.rows != 0; });
  }

  // The datasets of the first file that has rows, then whether and how every other file has them.
  std::vector<Shown> find_columns() {
    std::vector<Shown> shown;
    bool first = true;
    for (const auto& record : spec_.files) {
      if (record.rows == 0) continue;
      const Handle file = h5::open_file(record.path);
      if (first)
        for (auto& name : datasets_of(file, record.dataset)) shown.push_back({std::move(name), {}, {}, {}, {}});
      for (auto& column : shown)
        if (const std::string why = add_piece(file, record, column); !why.empty()) {
          if (!first || shown.size() == 1) notes_.push_back(column.name + " is not in the view: " + why);
          column.name.clear();
        }
      std::erase_if(shown, [](const Shown& column) { return column.name.empty(); });
      first = false;
    }
    return shown;
  }

  // The array or table itself; of a group its members, also those one level below (vaex: NAME/data).
  std::vector<std::string> datasets_of(const Handle& file, const std::string& path) const {
    if (spec_.kind != TableKind::columns) return {path};
    std::vector<std::string> found;
    const std::string folder = path == "/" ? "/" : path + "/";
    for (const auto& link : h5::links_of(h5::open_group(file, path), most_members)) {
      const Handle member(H5Oopen(file.get(), (folder + link.name).c_str(), H5P_DEFAULT), folder + link.name);
      const H5I_type_t kind = H5Iget_type(member.get());
      if (kind == H5I_DATASET) found.push_back(folder + link.name);
      if (kind == H5I_GROUP && h5::exists(member, "data")) found.push_back(folder + link.name + "/data");
    }
    return found;
  }

  // Empty, or why the dataset cannot be shown.
  std::string add_piece(const Handle& file, const FileRecord& record, Shown& column) const {
    const std::string path = spec_.kind == TableKind::columns ? column.name : record.dataset;
    if (!h5::exists(file, path)) return record.path + " has none";
    const Handle dataset = h5::open_dataset(file, path);
    const Handle type(H5Tcopy(Handle(H5Dget_type(dataset.get()), what).get()), what);
    if (H5Sget_simple_extent_type(Handle(H5Dget_space(dataset.get()), what).get()) != H5S_SIMPLE)
      return record.path + ": it has no rows";
    const auto shape = h5::shape_of(dataset);
    if (shape[0] < record.dataset_row + record.rows || H5Tdetect_class(type.get(), H5T_REFERENCE) > 0)
      return record.path + ": it has no such rows";
    if (column.pieces.empty()) {
      column.type = Handle(H5Tcopy(type.get()), what);
      column.shape = shape;
      column.meaning = h5::meaning_of(dataset);
    }
    auto common = common_type(column.type, type);
    if (!common || !std::equal(shape.begin() + 1, shape.end(), column.shape.begin() + 1, column.shape.end()))
      return record.path + ": its type or shape is another";
    if (const std::string why = meaning_difference(h5::meaning_of(dataset), column.meaning, first_file().path);
        !why.empty())
      return record.path + ": " + why;
    column.type = std::move(*common);
    column.pieces.push_back(
        {source_name(record.path, folder_), path, record.first_row, record.rows, record.dataset_row, shape});
    return {};
  }

  void link_inputs() {
    const std::string group = names_.free_name("/input_files");
    names_.take(group);
    h5::create_group(file_, group);
    for (std::size_t i = 0; i < spec_.files.size(); ++i)
      check(H5Lcreate_external(source_name(spec_.files[i].path, folder_).c_str(), spec_.files[i].dataset.c_str(),
                               file_.get(), (group + '/' + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT),
            what);
    notes_.push_back("columns of sparse matrices cannot be shown beside scores: " + group +
                     " holds links to the matrices");
  }

  const ViewSpec& spec_;
  std::string folder_;
  const Handle& file_;
  Handle scores_;
  DimensionScales scales_;
  TakenNames names_;
  std::string row_;
  std::vector<std::string> notes_;
};

}  // namespace

View make_view(const ViewSpec& spec) {
  View view;
  view.file = h5::file_image([&](const Handle& file) { view.notes = ViewWriter(file, spec).write(); });
  return view;
}

}  // namespace h5score::storage
