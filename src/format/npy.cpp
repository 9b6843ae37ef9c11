// Values of numpy's arrays.
#include "npy.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/base/text.hpp"
#include "h5score/h5/sandbox.hpp"

#include "printable.hpp"
#include "zip.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace h5score::format::npy {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 most_bytes = u64{4} << 30;

template <class T>
double value_as(const std::byte* at, bool big_endian) {
  std::array<std::byte, sizeof(T)> bytes;
  std::memcpy(bytes.data(), at, sizeof(T));
  if (big_endian) std::reverse(bytes.begin(), bytes.end());
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return static_cast<double>(value);
}

double number_at(const std::byte* at, const ElementField& field) {
  const bool big = field.big_endian;
  if (field.kind == 'f') return field.item == 4 ? value_as<float>(at, big) : value_as<double>(at, big);
  const bool is_signed = field.kind == 'i';
  switch (field.item) {
    case 1:
      return is_signed ? value_as<std::int8_t>(at, big) : value_as<std::uint8_t>(at, big);
    case 2:
      return is_signed ? value_as<std::int16_t>(at, big) : value_as<std::uint16_t>(at, big);
    case 4:
      return is_signed ? value_as<std::int32_t>(at, big) : value_as<std::uint32_t>(at, big);
    default:
      return is_signed ? value_as<std::int64_t>(at, big) : value_as<std::uint64_t>(at, big);
  }
}

// UTF-8 of a code point (RFC 3629); what is none becomes U+FFFD.
std::string text_at(const std::byte* at, const ElementField& field) {
  std::string text;
  if (field.kind == 'S') {
    const char* begin = reinterpret_cast<const char*>(at);
    return {begin, std::find(begin, begin + field.item, '\0')};
  }
  for (u64 i = 0; i < field.item; i += 4) {
    const auto code = static_cast<u64>(value_as<std::uint32_t>(at + i, field.big_endian));
    if (code == 0) break;
    const bool character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
    base::append_utf8(text, character ? static_cast<std::uint32_t>(code) : 0xFFFDU);
  }
  return text;
}

// Where element i in C order lies in an array whose first axis varies fastest.
u64 fortran_position(u64 i, const std::vector<u64>& shape) {
  u64 at = 0;
  u64 stride = base::checked_product(shape);
  for (std::size_t k = shape.size(); k-- > 0; i /= shape[k]) {
    stride /= shape[k];
    at += i % shape[k] * stride;
  }
  return at;
}

Array values_of(const Header& header, const ElementField& field, const std::byte* data) {
  Array array{.shape = header.shape, .numbers = {}, .texts = {}};
  array.shape.insert(array.shape.end(), field.shape.begin(), field.shape.end());
  const u64 elements = base::checked_product(header.shape);
  const u64 each = base::checked_product(field.shape);
  const bool is_text = field.kind == 'S' || field.kind == 'U';
  for (u64 i = 0; i < elements; ++i) {
    const u64 place = header.fortran ? fortran_position(i, header.shape) : i;
    const std::byte* at = data + place * header.element_bytes + field.offset;
    for (u64 k = 0; k < each; ++k, at += field.item) {
      if (is_text)
        array.texts.push_back(text_at(at, field));
      else
        array.numbers.push_back(number_at(at, field));
    }
  }
  return array;
}

base::Bytes bytes_of(const std::string& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw Error(ExitCode::no_input, "cannot be opened", base::errno_text(errno));
  const auto size = std::streamoff{stream.tellg()};
  if (size < 0 || base::narrow<u64>(size) > most_bytes) throw Error(ExitCode::data, "it is too large");
  base::Bytes bytes(base::narrow<std::size_t>(size));
  stream.seekg(0);
  if (!stream.read(reinterpret_cast<char*>(bytes.data()), size))
    throw Error(ExitCode::no_input, "cannot be read", base::errno_text(errno));
  return bytes;
}

Fields read_archive(const std::string& path) {
  const ZipArchive archive(path);
  Fields fields;
  for (const auto& name : archive.names()) {
    if (!name.ends_with(".npy")) continue;
    const std::string field = name.substr(0, name.size() - 4);
    try {
      Fields inner = parse(archive.read(name, most_bytes));
      if (!inner.contains("")) throw Error(ExitCode::data, "it has records, a plain array is expected");
      fields[field] = std::move(inner[""]);
    } catch (const Error& e) {
      throw e.in("array " + shown(field));
    }
  }
  return fields;
}

}  // namespace

Fields parse(base::ByteView file) {
  const Header header = parse_header(file);
  const u64 bytes = base::checked_mul(base::checked_product(header.shape), header.element_bytes);
  const base::ByteView data = file.subspan(header.data);
  if (bytes > data.size())
    throw Error(ExitCode::data, "the array is cut off",
                std::to_string(data.size()) + " bytes, " + std::to_string(bytes) + " expected");
  Fields fields;
  for (const ElementField& field : header.fields) fields[field.name] = values_of(header, field, data.data());
  return fields;
}

Fields read(const std::string& path) {
  try {
    const base::Bytes file = bytes_of(path);
    h5::Sandbox::step(file.size());
    return is_zip(file) ? read_archive(path) : parse(file);
  } catch (const Error& e) {
    throw e.in(path);
  }
}

}  // namespace h5score::format::npy
