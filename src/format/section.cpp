// Strict reading of one group of a native model file.
#include "section.hpp"

#include "h5score/base/narrow.hpp"

#include "printable.hpp"

#include <algorithm>

namespace h5score::format::native {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

constexpr u64 most_names = 10'000;
constexpr u64 most_integers = 1U << 20U;  // of an attribute

void check_text(const std::string& text) {
  if (!is_utf8(text)) throw Error(ExitCode::data, "a text is not UTF-8", "", "store names as UTF-8 strings");
}

}  // namespace

Section::Section(h5::Handle group, std::string path, Budget& budget)
    : group_(std::move(group)), path_(std::move(path)), budget_(&budget) {
  for (auto& name : h5::attribute_names(group_, most_names)) attributes_.insert(std::move(name));
  for (auto& link : h5::links_of(group_, most_names)) {
    if (!link.local)
      throw Error(ExitCode::data, path_ + ": link " + shown(link.name) + " leads into another file",
                  "a model file must be complete in itself");
    links_.insert(std::move(link.name));
  }
}

bool Section::has_attribute(const std::string& name) const {
  return attributes_.contains(name);
}
bool Section::has_link(const std::string& name) const {
  return links_.contains(name);
}

template <class Read>
auto Section::attribute(const std::string& name, Read read) {
  asked_.insert('@' + name);
  const std::string where = path_.empty() ? "/" : path_;
  if (!has_attribute(name)) throw Error(ExitCode::data, where + ": attribute '" + name + "' is missing");
  try {
    return read(group_, name);
  } catch (const Error& e) {
    throw e.in(where);
  }
}

std::string Section::text(const std::string& name) {
  return attribute(name, [](const auto& group, const auto& key) {
    std::string value = h5::read_string_attribute(group, key);
    check_text(value);
    return value;
  });
}
std::string Section::text(const std::string& name, const std::string& otherwise) {
  return has_attribute(name) ? text(name) : otherwise;
}
double Section::number(const std::string& name) {
  return attribute(name, h5::read_double_attribute);
}
double Section::number(const std::string& name, double otherwise) {
  return has_attribute(name) ? number(name) : otherwise;
}
base::i64 Section::integer(const std::string& name) {
  return attribute(name, h5::read_integer_attribute);
}
std::vector<base::i64> Section::integer_list(const std::string& name) {
  return attribute(
      name, [](const auto& group, const auto& key) { return h5::read_integers_attribute(group, key, most_integers); });
}
bool Section::flag(const std::string& name) {
  return has_attribute(name) && integer(name) != 0;
}

// Opens a dataset, checks its rank (0: any) and its size, and reads it as `read(dataset, shape, limit)`.
template <class Read>
auto Section::dataset(const std::string& name, std::size_t rank, Read read) {
  asked_.insert(name);
  const std::string where = path_ + "/" + name;
  if (!has_link(name)) throw Error(ExitCode::data, where + " is missing");
  try {
    const h5::Handle handle = h5::open_dataset(group_, name);
    h5::check_stored(handle, budget_->file_bytes);
    const auto shape = h5::shape_of(handle);
    if (rank != 0 && shape.size() != rank)
      throw Error(ExitCode::data, "it has " + std::to_string(shape.size()) + " dimensions",
                  std::to_string(rank) + " expected");
    auto values = read(handle, shape, budget_->values);
    budget_->values -= std::min(budget_->values, base::checked_product(shape));
    return values;
  } catch (const Error& e) {
    throw e.in(where);
  }
}

std::vector<double> Section::vector(const std::string& name) {
  return dataset(name, 1, [](const auto& handle, const auto&, u64 limit) { return h5::read_doubles(handle, limit); });
}

model::Matrix Section::matrix(const std::string& name) {
  return dataset(name, 2, [](const auto& handle, const auto& shape, u64 limit) {
    return model::Matrix{.rows = shape[0], .cols = shape[1], .values = h5::read_doubles(handle, limit)};
  });
}

std::vector<base::i64> Section::integers(const std::string& name) {
  return dataset(name, 0, [](const auto& handle, const auto&, u64 limit) { return h5::read_integers(handle, limit); });
}

std::vector<std::string> Section::strings(const std::string& name) {
  return dataset(name, 1, [](const auto& handle, const auto&, u64 limit) {
    auto values = h5::read_strings(handle, limit);
    std::for_each(values.begin(), values.end(), check_text);
    return values;
  });
}

model::ClassLabels Section::labels(const std::string& name) {
  const auto kind = dataset(name, 1, [](const auto& handle, const auto&, u64) { return h5::stored_kind(handle); });
  if (kind == h5::StoredKind::integer) return integers(name);
  if (kind == h5::StoredKind::floating) return vector(name);
  return strings(name);
}

Section Section::child(const std::string& name) {
  asked_.insert(name);
  const std::string path = path_ + "/" + name;
  if (!has_link(name)) throw Error(ExitCode::data, "group " + path + " is missing");
  try {
    return {h5::open_group(group_, name), path, *budget_};
  } catch (const Error& e) {
    throw e.in(path);
  }
}

std::vector<Section> Section::numbered_children() {
  std::vector<Section> children;
  for (u64 i = 0; i < links_.size(); ++i) children.push_back(child(std::to_string(i)));
  finish();
  return children;
}

void Section::finish() const {
  const std::string where = path_.empty() ? "/" : path_;
  const char* newer = "it may be misspelt, or from a newer version of the format";
  for (const auto& name : attributes_)
    if (!asked_.contains('@' + name))
      throw Error(ExitCode::data, where + ": attribute " + shown(name) + " is unknown here", newer);
  for (const auto& name : links_)
    if (!asked_.contains(name)) throw Error(ExitCode::data, where + ": " + shown(name) + " is unknown here", newer);
}

}  // namespace h5score::format::native
