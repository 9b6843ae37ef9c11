// Compound types: which fields can be read, and where they are.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/h5/handle.hpp"

namespace h5score::h5 {

/// False for a number that is said to have more bits than its bytes: the library reads what it likes then.
bool bits_fit(hid_t type);
/// A datatype as a person would call it: "32-bit integer", "compound of 3 fields".
std::string type_name(hid_t type);

/// The element type of bytes as they are stored, bit fields that fill their bytes included (as PyTables stores
/// booleans).
std::optional<base::ElementType> stored_type(const Handle& type);

/// The compound type without its fields of variable length, packed if there are any; an empty handle if nothing is
/// left.
Handle record_type(const Handle& type);

/// Fills the facts that only a compound type has; leaves those of other types alone.
void describe_fields(const Handle& type, DatasetFacts& facts);

}  // namespace h5score::h5
