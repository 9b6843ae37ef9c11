# Third-party libraries, each found once here; a module names the ones it uses. Why each: docs/architecture.md.
find_package(Threads REQUIRED)

# The C interface only: the C++ bindings are gone from MPI.
find_package(MPI REQUIRED COMPONENTS C)

# Serial HDF5 is preferred because ranks never open one file together through the library.
set(HDF5_PREFER_PARALLEL OFF CACHE BOOL "Prefer a parallel HDF5 over a serial one")
find_package(HDF5 1.10 REQUIRED COMPONENTS C)
add_library(h5score_hdf5 INTERFACE)
target_include_directories(h5score_hdf5 SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS})
target_compile_definitions(h5score_hdf5 INTERFACE ${HDF5_DEFINITIONS} H5_USE_110_API)
target_link_libraries(h5score_hdf5 INTERFACE ${HDF5_LIBRARIES})
if(HDF5_IS_PARALLEL)
  target_link_libraries(h5score_hdf5 INTERFACE MPI::MPI_C)
endif()

find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(Boost 1.71 REQUIRED COMPONENTS program_options)
find_package(fmt 8 REQUIRED)
find_package(nlohmann_json 3.9 REQUIRED)

find_path(H5SCORE_LIBDEFLATE_INCLUDE libdeflate.h REQUIRED)
find_library(H5SCORE_LIBDEFLATE_LIBRARY NAMES deflate REQUIRED)
add_library(h5score_deflate INTERFACE)
target_include_directories(h5score_deflate SYSTEM INTERFACE ${H5SCORE_LIBDEFLATE_INCLUDE})
target_link_libraries(h5score_deflate INTERFACE ${H5SCORE_LIBDEFLATE_LIBRARY})

find_path(H5SCORE_XXHASH_INCLUDE xxhash.h REQUIRED)
add_library(h5score_xxhash INTERFACE)
target_include_directories(h5score_xxhash SYSTEM INTERFACE ${H5SCORE_XXHASH_INCLUDE})
target_compile_definitions(h5score_xxhash INTERFACE XXH_INLINE_ALL)
