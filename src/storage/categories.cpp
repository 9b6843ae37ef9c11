// After AnnData's "on-disk format", categorical arrays and data frames.
#include "categories.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::Handle;

constexpr u64 most_categories = u64{1} << 24;

std::string name_of(const Handle& object) {
  const auto size = h5::check(H5Iget_name(object.get(), nullptr, 0), "an object's name cannot be read");
  std::string name(static_cast<std::size_t>(size), '\0');
  h5::check(H5Iget_name(object.get(), name.data(), name.size() + 1), "an object's name cannot be read");
  return name;
}

// What the attribute `categories` of a dataset refers to; empty if it has none.
std::string referred(const Handle& dataset) {
  if (!h5::has_attribute(dataset, "categories")) return {};
  const std::string what = "attribute 'categories' cannot be read";
  const Handle attribute(H5Aopen(dataset.get(), "categories", H5P_DEFAULT), what);
  const Handle type(H5Aget_type(attribute.get()), what);
  if (H5Tequal(type.get(), H5T_STD_REF_OBJ) <= 0 || base::checked_product(h5::shape_of(attribute)) != 1) return {};
  hobj_ref_t reference = 0;
  h5::check(H5Aread(attribute.get(), H5T_STD_REF_OBJ, &reference), what);
  return name_of(Handle(H5Rdereference2(dataset.get(), H5P_DEFAULT, H5R_OBJECT, &reference), what));
}

std::vector<std::string> texts_of(const std::string& path, const std::string& name) {
  const Handle file = h5::open_file(path);
  try {
    return h5::read_strings(h5::open_dataset(file, name), most_categories);
  } catch (const Error& error) {
    throw error.in(path + ": " + name);
  }
}

bool opens(const Handle& file, const std::string& name, H5I_type_t kind) {
  if (!h5::exists(file, name)) return false;
  const Handle object(H5Oopen(file.get(), name.c_str(), H5P_DEFAULT), "'" + name + "' cannot be opened");
  return H5Iget_type(object.get()) == kind;
}

}  // namespace

std::optional<h5::DatasetFacts> describe_categorical(const std::string& path, const std::string& name) {
  std::string codes = name;
  std::string categories;
  {
    const Handle file = h5::open_file(path);
    if (opens(file, name, H5I_DATASET)) {
      categories = referred(h5::open_dataset(file, name));
    } else if (opens(file, name + "/codes", H5I_DATASET) && opens(file, name + "/categories", H5I_DATASET)) {
      codes = name + "/codes";
      categories = name + "/categories";
    }
  }
  if (categories.empty()) return std::nullopt;
  auto facts = h5::describe_dataset(path, codes);
  if (!facts.type || !facts.type->numeric() || facts.type->kind == base::ElementKind::floating)
    throw Error(ExitCode::data, path + ": " + codes + " holds no numbers of categories", facts.type_name);
  std::size_t longest = 1;
  for (const auto& text : texts_of(path, categories)) longest = std::max(longest, text.size());
  facts.type.reset();
  facts.packing.reset();
  facts.read_as = base::ElementType{
      .kind = base::ElementKind::fixed_string, .size = base::narrow<base::u32>(longest), .utf8 = true};
  facts.type_name = "text by categories";
  facts.categories = categories;
  return facts;
}

std::vector<std::string> read_categories(const h5::DatasetFacts& facts) {
  auto categories = texts_of(facts.file, facts.categories);
  for (const auto& text : categories)
    if (text.size() > facts.read_as->size)
      throw Error(ExitCode::data, facts.file + ": " + facts.categories + ": changed while it was read");
  return categories;
}

base::Bytes decode_categories(const std::vector<std::string>& categories, u64 size, base::ByteView codes) {
  base::Bytes texts(codes.size() / sizeof(base::i64) * size);
  for (u64 i = 0; i * sizeof(base::i64) < codes.size(); ++i) {
    base::i64 code = 0;
    std::memcpy(&code, codes.data() + i * sizeof code, sizeof code);
    if (code < 0 || static_cast<u64>(code) >= categories.size()) continue;
    const auto& text = categories[static_cast<u64>(code)];
    std::memcpy(texts.data() + i * size, text.data(), text.size());
  }
  return texts;
}

std::vector<std::string> places_of_column(const std::string& path, const std::string& table, const std::string& name) {
  if (name[0] == '/') return {name};
  const Handle file = h5::open_file(path);
  std::vector<std::string> places;
  const std::string beside = table.substr(0, table.rfind('/') + 1);
  for (const std::string& folder : {table + "/", beside, std::string("/obs/"), std::string("/")}) {
    const std::string frame = folder + name.substr(0, name.rfind("_index"));
    if (h5::exists(file, folder + name)) {
      places.push_back(folder + name);
    } else if (name.ends_with("_index") && frame.ends_with("/") && frame != "/" &&
               opens(file, frame.substr(0, frame.size() - 1), H5I_GROUP)) {
      const Handle group = h5::open_group(file, frame);
      if (h5::has_attribute(group, "_index")) places.push_back(frame + h5::read_string_attribute(group, "_index"));
    }
  }
  places.push_back("/" + name);
  return places;
}

}  // namespace h5score::storage
