// Recognises single-cell matrices by the attributes and members that their formats prescribe:
// AnnData "on-disk format" (encoding-type, _index), its versions before 0.7 (h5sparse_format, h5sparse_shape, records
// in `var`), and 10x Genomics' "HDF5 feature-barcode matrix".
#include "sparse_file.hpp"

#include "h5score/base/error.hpp"
#include "h5score/h5/io.hpp"

#include "array_names.hpp"

#include <algorithm>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::Handle;

constexpr u64 most_columns = u64{1} << 26;  // names are kept in memory; a genome has some 10^5 genes
constexpr u64 most_links = 10'000;

H5I_type_t kind_of(const Handle& object) {
  return H5Iget_type(object.get());
}

Handle open_object(const Handle& file, const std::string& name) {
  return {H5Oopen(file.get(), name.c_str(), H5P_DEFAULT), "'" + name + "' cannot be opened"};
}

bool is_group(const Handle& file, const std::string& name) {
  return h5::exists(file, name) && kind_of(open_object(file, name)) == H5I_GROUP;
}

std::string text_attribute(const Handle& object, const std::string& name) {
  return h5::has_attribute(object, name) ? h5::read_string_attribute(object, name) : std::string();
}

std::string parent_of(const std::string& name) {
  return name.substr(0, name.rfind('/'));  // "/X" is in ""
}

// How a matrix is laid out: shape as rows x columns.
struct Encoding {
  std::vector<base::i64> shape;
  bool by_column = false;
};

std::optional<Encoding> anndata_encoding(const Handle& group) {
  std::string format = text_attribute(group, "encoding-type");
  std::string shape = "shape";
  if (format.empty()) {
    format = text_attribute(group, "h5sparse_format") + "_matrix";
    shape = "h5sparse_shape";
  }
  if (format != "csr_matrix" && format != "csc_matrix") return std::nullopt;
  return Encoding{h5::read_integers_attribute(group, shape, 2), format == "csc_matrix"};
}

bool is_tenx(const Handle& group) {
  return h5::exists(group, "barcodes") && h5::exists(group, "shape") &&
         (h5::exists(group, "features") || h5::exists(group, "genes"));
}

// Genes by cells, compressed by cell: rows are cells here.
std::optional<Encoding> tenx_encoding(const Handle& group) {
  if (!is_tenx(group)) return std::nullopt;
  auto shape = h5::read_integers(h5::open_dataset(group, "shape"), 2);
  std::reverse(shape.begin(), shape.end());
  return Encoding{shape, false};
}

[[noreturn]] void contradict(const std::string& path, const std::string& name, const std::string& why) {
  throw Error(ExitCode::data, path + ": '" + name + "' is not a valid sparse matrix", why);
}

h5::DatasetFacts member(const std::string& path, const std::string& group, const std::string& name, bool integer) {
  auto facts = h5::describe_dataset(path, group + "/" + name);
  if (facts.null || facts.shape.size() != 1) contradict(path, group, "'" + name + "' does not have one dimension");
  const bool number = facts.read_as && facts.read_as->numeric();
  if (!number || (integer && facts.read_as->kind == base::ElementKind::floating))
    contradict(path, group, "'" + name + "' holds " + facts.type_name);
  return facts;
}

void check(const std::string& path, const SparseFacts& facts) {
  const u64 major = facts.by_column ? facts.columns : facts.rows;
  if (facts.offsets.shape[0] - 1 != major)
    contradict(path, facts.name,
               "'indptr' has " + std::to_string(facts.offsets.shape[0]) + " numbers for a shape of " +
                   std::to_string(facts.rows) + " x " + std::to_string(facts.columns));
  if (facts.indices.shape[0] != facts.values.shape[0])
    contradict(path, facts.name,
               "'indices' and 'data' have " + std::to_string(facts.indices.shape[0]) + " and " +
                   std::to_string(facts.values.shape[0]) + " numbers");
}

// The rows of `var` are labelled by one of its columns; a column may be a dataset, or a group of values or categories.
std::vector<std::string> labels(const Handle& file, const std::string& name) {
  if (!is_group(file, name)) return h5::read_strings(h5::open_dataset(file, name), most_columns);
  if (h5::exists(file, name + "/values"))
    return h5::read_strings(h5::open_dataset(file, name + "/values"), most_columns);
  const auto categories = h5::read_strings(h5::open_dataset(file, name + "/categories"), most_columns);
  std::vector<std::string> result;
  for (const auto code : h5::read_integers(h5::open_dataset(file, name + "/codes"), most_columns))
    result.push_back(code >= 0 && static_cast<u64>(code) < categories.size() ? categories[static_cast<u64>(code)] : "");
  return result;
}

ColumnNames anndata_names(const Handle& file, const std::string& var) {
  if (!is_group(file, var)) {  // records, before AnnData 0.7
    const Handle dataset = h5::open_dataset(file, var);
    const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
    const std::string field = H5Tget_member_index(type.get(), "index") >= 0 ? "index" : "_index";
    H5Eclear2(H5E_DEFAULT);
    return {h5::read_string_field(dataset, field, most_columns), var + "." + field};
  }
  const std::string index = text_attribute(h5::open_group(file, var), "_index");
  const std::string name = var + "/" + (index.empty() ? "_index" : index);
  return {labels(file, name), name};
}

// True if this is how AnnData describes columns, and not another dataset that is called `var`.
bool is_frame(const Handle& file, const std::string& var) {
  if (!h5::exists(file, var)) return false;
  if (is_group(file, var)) return h5::has_attribute(h5::open_group(file, var), "_index");
  const Handle dataset = h5::open_dataset(file, var);
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  return H5Tget_class(type.get()) == H5T_COMPOUND;
}

// Where a matrix's columns are described, and where their identifiers would be.
std::vector<std::string> sources_of_names(const Handle& file, const std::string& name) {
  if (h5::exists(file, name + "/features/name")) return {name + "/features/name", name + "/features/id"};
  if (h5::exists(file, name + "/gene_names")) return {name + "/gene_names", name + "/genes"};
  const std::string parent = parent_of(name);
  const bool layer = parent.size() >= 7 && parent.ends_with("/layers");
  const std::string last = name.substr(parent.size() + 1);
  if (!layer && last != "X" && last != "raw.X") return {};
  const std::string var = (layer ? parent_of(parent) : parent) + (last == "raw.X" ? "/raw.var" : "/var");
  if (!is_frame(file, var)) return {};
  return {var, var + "/gene_ids"};
}

ColumnNames read_names(const Handle& file, const std::string& source) {
  if (source.ends_with("var")) return anndata_names(file, source);
  return {labels(file, source), source};
}

ColumnNames read_ids(const Handle& file, const std::string& name) {
  const auto sources = sources_of_names(file, name);
  if (sources.empty() || !h5::exists(file, sources[1])) return {};
  try {
    return {labels(file, sources[1]), sources[1]};
  } catch (const Error&) {
    return {};  // of no known kind
  }
}

}  // namespace

std::optional<SparseFacts> describe_sparse(const std::string& path, const std::string& group_name) {
  std::string name = group_name.starts_with('/') ? group_name : "/" + group_name;
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  const Handle file = h5::open_file(path);
  if (!is_group(file, name)) return std::nullopt;
  const Handle group = h5::open_group(file, name);
  for (const auto* needed : {"data", "indices", "indptr"})
    if (!h5::exists(group, needed)) return std::nullopt;
  try {
    auto encoding = anndata_encoding(group);
    if (!encoding) encoding = tenx_encoding(group);
    if (!encoding) return std::nullopt;
    if (encoding->shape.size() != 2) contradict(path, name, "its shape does not have two extents");
    if (encoding->shape[0] == 0)
      throw Error(ExitCode::data, path + ": '" + name + "' has 0 rows", "", "leave the file out");
    if (encoding->shape[0] < 1 || encoding->shape[1] < 1 || static_cast<u64>(encoding->shape[1]) > most_columns)
      contradict(path, name,
                 "its shape is " + std::to_string(encoding->shape[0]) + " x " + std::to_string(encoding->shape[1]));
    SparseFacts facts{.name = name,
                      .rows = static_cast<u64>(encoding->shape[0]),
                      .columns = static_cast<u64>(encoding->shape[1]),
                      .by_column = encoding->by_column,
                      .offsets = member(path, name, "indptr", true),
                      .indices = member(path, name, "indices", true),
                      .values = member(path, name, "data", false)};
    check(path, facts);
    return facts;
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(path)) throw;
    throw error.in(path + ": " + name);
  }
}

ColumnNames column_names(const std::string& path, const std::string& name, u64 columns) {
  const Handle file = h5::open_file(path);
  try {
    const auto sources = sources_of_names(file, name);
    if (sources.empty()) return {};
    ColumnNames found = read_names(file, sources[0]);
    if (found.names.size() != columns)
      throw Error(ExitCode::data, found.from + " does not fit " + name,
                  std::to_string(found.names.size()) + " names for " + std::to_string(columns) + " columns");
    tell_apart(found, read_ids(file, name));
    return found;
  } catch (const Error& error) {
    throw error.in(path);
  }
}

ColumnNames column_ids(const std::string& path, const std::string& name) {
  return read_ids(h5::open_file(path), name);
}

std::vector<std::string> single_cell_matrices(const std::string& path) {
  const Handle file = h5::open_file(path);
  if (h5::exists(file, "X") && h5::exists(file, "obs") && h5::exists(file, "var")) return {"/X"};
  std::vector<std::string> groups;
  for (const auto& link : h5::links_of(h5::open_group(file, "/"), most_links)) {
    if (!link.local || !is_group(file, link.name)) continue;
    const Handle group = h5::open_group(file, link.name);
    const bool matrix = h5::exists(group, "indptr") && h5::exists(group, "indices") && h5::exists(group, "data");
    if (matrix && is_tenx(group)) groups.push_back("/" + link.name);
  }
  return groups;
}

}  // namespace h5score::storage
