# Third-party libraries, each found once here; a module names the ones it uses. Why each: docs/architecture.md.
find_package(Threads REQUIRED)

# The C interface only: the C++ bindings are gone from MPI.
find_package(MPI REQUIRED COMPONENTS C)

# Serial HDF5 is preferred because ranks never open one file together through the library.
set(HDF5_PREFER_PARALLEL OFF CACHE BOOL "Prefer a parallel HDF5 over a serial one")
find_package(HDF5 1.10 REQUIRED COMPONENTS C)

find_package(Boost 1.71 REQUIRED COMPONENTS program_options)
find_package(fmt 8 REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)

include(H5scoreThirdParty)
foreach(library IN ITEMS deflate xxhash zip)
  if(NOT TARGET h5score_${library})
    message(FATAL_ERROR "lib${library} not found; install it (Debian: lib${library}-dev) or name its place by CMAKE_PREFIX_PATH")
  endif()
endforeach()
if(H5SCORE_WITH_ONNX AND NOT TARGET h5score_onnx)
  message(FATAL_ERROR "The ONNX protobuf library not found; install it (Debian: libonnx-dev libprotobuf-dev), name its place by "
    "CMAKE_PREFIX_PATH, or do without ONNX models: -DH5SCORE_WITH_ONNX=OFF")
endif()
if(H5SCORE_WITH_ISAL AND TARGET h5score_isal)  # AUTO is true
  set(H5SCORE_USE_ISAL ON)
  message(STATUS "Checksums: ISA-L (${H5SCORE_ISAL_LIBRARY})")
elseif(H5SCORE_WITH_ISAL)
  message(STATUS "Checksums: libdeflate (ISA-L would be four times as fast; Debian: libisal-dev)")
else()
  message(STATUS "Checksums: libdeflate (H5SCORE_WITH_ISAL is OFF)")
endif()
