// The header of .npy files: a Python dictionary of texts, numbers, tuples and lists.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "json.hpp"
#include "npy.hpp"
#include "printable.hpp"

#include <cctype>
#include <charconv>

namespace h5score::format::npy {
namespace {

using base::Error;
using base::ExitCode;

[[noreturn]] void refuse(const std::string& problem, const std::string& why = {}) {
  throw Error(ExitCode::data, problem, why);
}

// Python's literals as JSON: other brackets, quotes and truth values, and no comma before a closing bracket.
std::string as_json(std::string_view python) {
  std::string json;
  char quote = 0;
  const auto close = [&](char bracket) {
    const auto last = json.find_last_not_of(" \n");
    if (last != std::string::npos && json[last] == ',') json.erase(last);
    json += bracket;
  };
  for (std::size_t i = 0; i < python.size(); ++i) {
    const char c = python[i];
    if (quote != 0 && c == quote) {
      quote = 0;
      json += '"';
    } else if (quote != 0) {
      if (c == '"') json += '\\';
      json += c;
      if (c == '\\' && i + 1 < python.size()) json += python[++i];
    } else if (c == '\'' || c == '"') {
      quote = c;
      json += '"';
    } else if (c == '(' || c == '[') {
      json += '[';
    } else if (c == ')' || c == ']') {
      close(']');
    } else if (c == '}') {
      close('}');
    } else if (c == 'L') {  // long integers of Python 2
    } else {
      json += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return json;
}

std::vector<u64> extents(const Json& list) {
  std::vector<u64> result;
  for (const auto value : integers(list, "shape")) {
    if (value < 0) refuse("the header's shape is malformed");
    result.push_back(base::narrow<u64>(value));
  }
  return result;
}

// "<f8", "|S12", ">u4".
ElementField element_of(const std::string& type) {
  ElementField field;
  const std::size_t order = type.find_first_of("<>|=") == 0 ? 1 : 0;
  if (type.size() < order + 2) refuse("the type " + shown(type) + " is not supported");
  field.big_endian = type[0] == '>';
  field.kind = type[order];
  const char* begin = type.data() + order + 1;
  const auto [end, error] = std::from_chars(begin, type.data() + type.size(), field.item);
  const bool number = field.kind == 'i' || field.kind == 'u';
  const bool good = (number && (field.item == 1 || field.item == 2 || field.item == 4 || field.item == 8)) ||
                    (field.kind == 'f' && (field.item == 4 || field.item == 8)) ||
                    (field.kind == 'b' && field.item == 1) || field.kind == 'S' || field.kind == 'U' ||
                    field.kind == 'V';
  if (error != std::errc{} || end != type.data() + type.size() || !good || field.item == 0 ||
      field.item > (u64{1} << 20))
    refuse("the type " + shown(type) + " is not supported", field.kind == 'O' ? "Python objects are never loaded" : "");
  if (field.kind == 'U') field.item *= 4;
  return field;
}

void add_fields(Header& header, const Json& description) {
  if (description.is_string()) {
    header.fields.push_back(element_of(description.get<std::string>()));
    header.element_bytes = header.fields[0].item;
    return;
  }
  for (const auto& entry : description) {
    if (!entry.is_array() || entry.size() < 2 || !entry[0].is_string() || !entry[1].is_string())
      refuse("the header's type is malformed or nested");
    ElementField field = element_of(entry[1].get<std::string>());
    field.name = entry[0].get<std::string>();
    if (entry.size() > 2) field.shape = extents(entry[2]);
    field.offset = header.element_bytes;
    header.element_bytes =
        base::checked_add(header.element_bytes, base::checked_mul(field.item, base::checked_product(field.shape)));
    if (field.kind != 'V') header.fields.push_back(std::move(field));
  }
}

}  // namespace

Header parse_header(base::ByteView file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (!text.starts_with("\x93NUMPY") || text.size() < 12) refuse("it is no array of numpy");
  const auto byte = [&](std::size_t i) { return u64{static_cast<unsigned char>(text[i])}; };
  const u64 version = byte(6);
  if (version < 1 || version > 3) refuse("version " + std::to_string(version) + " of numpy's format is unknown");
  u64 length = byte(8) | byte(9) << 8U;
  if (version > 1) length |= byte(10) << 16U | byte(11) << 24U;
  const u64 begin = version > 1 ? 12 : 10;
  if (length > text.size() - begin) refuse("it ends inside its header");
  const Json header = parse_json(as_json(text.substr(begin, length)));
  Header result;
  result.data = begin + length;
  result.fortran = flag(header, "fortran_order", false);
  result.shape = extents(member(header, "shape"));
  add_fields(result, member(header, "descr"));
  if (result.fields.empty() || result.element_bytes == 0) refuse("it has no values");
  return result;
}

}  // namespace h5score::format::npy
