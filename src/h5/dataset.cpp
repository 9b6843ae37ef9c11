// Flat descriptions of datasets.
#include "h5score/h5/dataset.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/h5/sandbox.hpp"

#include "open_dataset.hpp"
#include "packing.hpp"
#include "record_type.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace h5score::h5 {
namespace {

using base::ElementKind;
using base::ElementType;
using base::Error;
using base::ExitCode;

// What the library converts other numbers to: odd integers to 64 bits, odd floats (and wider integers) to float64.
std::optional<ElementType> convertible_type(const Handle& type) {
  switch (H5Tget_class(type.get())) {
    case H5T_ENUM: {
      const Handle super(H5Tget_super(type.get()), "an enumeration has no base type");
      return convertible_type(super);
    }
    case H5T_INTEGER:
      if (!bits_fit(type.get())) return std::nullopt;
      if (H5Tget_size(type.get()) > 8) return ElementType{.kind = ElementKind::floating, .size = 8};
      return ElementType{
          .kind = H5Tget_sign(type.get()) == H5T_SGN_NONE ? ElementKind::unsigned_integer : ElementKind::signed_integer,
          .size = 8};
    case H5T_FLOAT:
      if (!bits_fit(type.get())) return std::nullopt;
      return ElementType{.kind = ElementKind::floating, .size = 8};
    default:
      return std::nullopt;
  }
}

void describe_type(const Handle& dataset, DatasetFacts& facts) {
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  facts.type = stored_type(type);
  facts.read_as = facts.type ? facts.type : convertible_type(type);
  facts.variable_string = H5Tget_class(type.get()) == H5T_STRING && H5Tis_variable_str(type.get()) > 0;
  facts.utf8 = H5Tget_class(type.get()) == H5T_STRING && H5Tget_cset(type.get()) == H5T_CSET_UTF8;
  const bool number = facts.type && facts.type->numeric();
  facts.type_name = number ? to_string(*facts.type) : type_name(type.get());
  describe_fields(type, facts);
}

void describe_space(const Handle& dataset, DatasetFacts& facts) {
  const Handle space(H5Dget_space(dataset.get()), "a dataspace cannot be read");
  facts.null = H5Sget_simple_extent_type(space.get()) == H5S_NULL;
  if (!facts.null) facts.shape = shape_of(dataset);
}

std::string filter_label(u32 id, const std::string& stored_name) {
  switch (id) {
    case H5Z_FILTER_DEFLATE:
      return "gzip";
    case H5Z_FILTER_SHUFFLE:
      return "shuffle";
    case H5Z_FILTER_FLETCHER32:
      return "fletcher32";
    case H5Z_FILTER_SZIP:
      return "szip";
    case H5Z_FILTER_NBIT:
      return "nbit";
    case H5Z_FILTER_SCALEOFFSET:
      return "scaleoffset";
    default:
      // Some names go on with an explanation: "bitshuffle; see https://..."
      return stored_name.empty() ? "unnamed" : stored_name.substr(0, stored_name.find(';'));
  }
}

void describe_filters(const Handle& creation, DatasetFacts& facts) {
  const int count = check(H5Pget_nfilters(creation.get()), "the filters cannot be read");
  for (unsigned i = 0; i < static_cast<unsigned>(count); ++i) {
    std::array<char, 256> name{};
    Filter filter;
    unsigned flags = 0;
    filter.values.resize(64);
    for (;;) {
      std::size_t values = filter.values.size();
      const auto id = H5Pget_filter2(creation.get(), i, &flags, &values, filter.values.data(), name.size() - 1,
                                     name.data(), nullptr);
      filter.id = base::narrow<u32>(check(id, "the filters cannot be read"));
      const bool complete = values <= filter.values.size();
      filter.values.resize(values);
      if (complete) break;
    }
    filter.name = filter_label(filter.id, name.data());
    if (H5Zfilter_avail(static_cast<H5Z_filter_t>(filter.id)) <= 0)
      facts.missing.push_back(std::to_string(filter.id) + " (" + filter.name + ")");
    facts.filters.push_back(std::move(filter));
  }
  H5Eclear2(H5E_DEFAULT);
}

void describe_chunks(const Handle& creation, DatasetFacts& facts) {
  std::vector<hsize_t> chunk(facts.shape.size());
  const int rank = base::narrow<int>(chunk.size());
  if (check(H5Pget_chunk(creation.get(), rank, chunk.data()), "the chunk shape cannot be read") != rank)
    throw Error(ExitCode::data, "the chunk shape has another rank than the dataset");
  facts.chunk.assign(chunk.begin(), chunk.end());
  if (std::find(facts.chunk.begin(), facts.chunk.end(), u64{0}) != facts.chunk.end())
    throw Error(ExitCode::data, "a chunk has an extent of 0");
  unsigned options = 0;
  check(H5Pget_chunk_opts(creation.get(), &options), "the chunk options cannot be read");
  facts.raw_edges = (options & H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS) != 0;
  describe_filters(creation, facts);
}

// A fill value is only needed where bytes are decoded by us.
void describe_fill(const Handle& dataset, const Handle& creation, DatasetFacts& facts) {
  if (!facts.type && !facts.raw_records) return;
  const u64 size = facts.type ? facts.type->size : facts.record_bytes;
  if (size > most_element_bytes) return;
  facts.fill.assign(size, std::byte{0});
  H5D_fill_value_t state = H5D_FILL_VALUE_UNDEFINED;
  check(H5Pfill_value_defined(creation.get(), &state), "the fill value cannot be read");
  if (state != H5D_FILL_VALUE_USER_DEFINED) return;
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  check(H5Pget_fill_value(creation.get(), type.get(), facts.fill.data()), "the fill value cannot be read");
}

void describe_layout(const Handle& dataset, DatasetFacts& facts) {
  const Handle creation(H5Dget_create_plist(dataset.get()), "a dataset's properties cannot be read");
  switch (H5Pget_layout(creation.get())) {
    case H5D_COMPACT:
      facts.layout = Layout::compact;
      break;
    case H5D_CONTIGUOUS:
      facts.layout = Layout::contiguous;
      break;
    case H5D_CHUNKED:
      facts.layout = Layout::chunked;
      describe_chunks(creation, facts);
      break;
    case H5D_VIRTUAL:
      facts.layout = Layout::virtual_sources;
      break;
    default:
      throw Error(ExitCode::data, "the storage layout is unknown");
  }
  if (check(H5Pget_external_count(creation.get()), "the external files cannot be read") > 0)
    facts.layout = Layout::external_files;
  if (facts.layout == Layout::contiguous) {
    facts.address = H5Dget_offset(dataset.get());
    if (facts.address == HADDR_UNDEF) H5Eclear2(H5E_DEFAULT);
    static_assert(HADDR_UNDEF == no_address);
  }
  describe_fill(dataset, creation, facts);
}

std::string name_of(const Handle& object) {
  const auto size = check(H5Iget_name(object.get(), nullptr, 0), "an object's name cannot be read");
  std::string name(static_cast<std::size_t>(size), '\0');
  check(H5Iget_name(object.get(), name.data(), name.size() + 1), "an object's name cannot be read");
  return name;
}

std::string file_of(const Handle& object) {
  const auto size = check(H5Fget_name(object.get(), nullptr, 0), "a file's name cannot be read");
  std::string name(static_cast<std::size_t>(size), '\0');
  check(H5Fget_name(object.get(), name.data(), name.size() + 1), "a file's name cannot be read");
  return name;
}

DatasetFacts describe(const Handle& dataset) {
  DatasetFacts facts;
  facts.file = file_of(dataset);
  facts.name = name_of(dataset);
  H5O_info_t info{};
  check(H5Oget_info(dataset.get(), &info), "an object's address cannot be read");
  facts.object = info.addr;
  describe_space(dataset, facts);
  describe_type(dataset, facts);
  describe_layout(dataset, facts);
  describe_packing(dataset, facts);
  facts.meaning = meaning_of(dataset);
  return facts;
}

herr_t collect_dataset(hid_t /*root*/, const char* name, const H5O_info_t* info, void* data) noexcept {
  try {
    if (info->type == H5O_TYPE_DATASET) static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

herr_t visit_objects(const Handle& file, std::vector<std::string>& names) {
#if H5_VERSION_GE(1, 10, 3)
  return H5Ovisit2(file.get(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset, &names, H5O_INFO_BASIC);
#else
  return H5Ovisit(file.get(), H5_INDEX_NAME, H5_ITER_INC, collect_dataset, &names);
#endif
}

herr_t collect_external(hid_t /*root*/, const char* name, const H5L_info_t* info, void* data) noexcept {
  try {
    if (info->type == H5L_TYPE_EXTERNAL) static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

void add_dataset(const Handle& file, const std::string& name, std::vector<DatasetFacts>& all) {
  Sandbox::step();
  try {
    const Handle dataset = open_dataset(file, name);
    DatasetFacts facts = describe(dataset);
    facts.name = name;  // of an object behind an external link the library tells the name in the other file
    facts.stored_bytes = H5Dget_storage_size(dataset.get());
    all.push_back(std::move(facts));
  } catch (const Error& error) {
    if (error.code() == ExitCode::io) throw;
    H5Eclear2(H5E_DEFAULT);  // a damaged dataset must not hide the others; opening it by name says what is wrong
  }
}

}  // namespace

const char* to_string(Layout layout) {
  switch (layout) {
    case Layout::compact:
      return "compact";
    case Layout::contiguous:
      return "contiguous";
    case Layout::chunked:
      return "chunked";
    case Layout::virtual_sources:
      return "virtual";
    case Layout::external_files:
      return "external";
  }
  return "unknown";
}

OpenDataset::OpenDataset(const std::string& path, const std::string& name) : file(open_file(path)) {
  const Handle object(H5Oopen(file.get(), name.c_str(), H5P_DEFAULT), path + ": there is no dataset '" + name + "'");
  if (H5Iget_type(object.get()) != H5I_DATASET)
    throw Error(ExitCode::data, path + ": '" + name + "' is not a dataset",
                H5Iget_type(object.get()) == H5I_GROUP ? "it is a group" : "it is a named type");
  dataset = Handle(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), path + ": dataset '" + name + "' cannot be opened");
}

OpenDataset::OpenDataset(const DatasetFacts& facts, const Handle& access)
    : file(open_file(facts.file, access)),
      dataset(H5Oopen_by_addr(file.get(), facts.object),
              facts.file + ": dataset '" + facts.name + "' cannot be opened") {
  if (H5Iget_type(dataset.get()) != H5I_DATASET)
    throw Error(ExitCode::data, facts.file + ": '" + facts.name + "' is no longer a dataset");
}

DatasetFacts describe_dataset(const std::string& path, const std::string& dataset) {
  const OpenDataset open(path, dataset);
  try {
    return describe(open.dataset);
  } catch (const Error& error) {
    throw error.in(path + ": " + dataset);
  }
}

namespace {

constexpr u64 most_members = u64{1} << 20;

void add_members(const Handle& group, const std::string& prefix, u64 depth, std::vector<Member>& members) {
  for (const auto& link : links_of(group, most_members)) {
    const std::string name = prefix + link.name;
    Sandbox::step();
    try {
      const Handle object(H5Oopen(group.get(), link.name.c_str(), H5P_DEFAULT), name);
      if (H5Iget_type(object.get()) == H5I_DATASET)
        members.push_back({name, describe(object)});
      else if (H5Iget_type(object.get()) == H5I_GROUP && depth > 1)
        add_members(object, name + "/", depth - 1, members);
      else
        members.push_back({name, {}});
    } catch (const Error& error) {
      if (error.code() == ExitCode::io) throw;
      H5Eclear2(H5E_DEFAULT);  // one link that leads nowhere must not hide the others
      members.push_back({name, {}});
    }
  }
}

}  // namespace

bool is_group(const std::string& path, const std::string& name) {
  const Handle file = open_file(path);
  const Handle object(H5Oopen(file.get(), name.c_str(), H5P_DEFAULT),
                      path + ": there is no dataset or group '" + name + "'");
  return H5Iget_type(object.get()) == H5I_GROUP;
}

std::vector<Member> describe_members(const std::string& path, const std::string& group, u64 depth) {
  const Handle file = open_file(path);
  std::vector<Member> members;
  add_members(open_group(file, group), "", depth, members);
  return members;
}

std::vector<DatasetFacts> describe_all_datasets(const std::string& path) {
  const Handle file = open_file(path);
  std::vector<std::string> names;
  check(visit_objects(file, names), path + ": the objects cannot be listed");
  check(H5Lvisit(file.get(), H5_INDEX_NAME, H5_ITER_INC, collect_external, &names),
        path + ": the links cannot be listed");
  std::sort(names.begin(), names.end());
  std::vector<DatasetFacts> all;
  for (const auto& name : names) add_dataset(file, "/" + name, all);
  return all;
}

}  // namespace h5score::h5
