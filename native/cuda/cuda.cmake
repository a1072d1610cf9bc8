# Compiles native/cuda/kernels/*.cu with nvcc, where there is one, and embeds the results: sets CUDA_IMAGES to the source
# file that holds them and says why it holds none.
#
# Each file becomes one compute_80 PTX text, whose .version is rewritten to one that older drivers accept (the text uses
# nothing newer), machine code for sm_80 (which serves all 8.x) and sm_90 from that same text, and one fatbin with
# all three. It is embedded deflated, by our own hand: the compression that a fatbin may have itself either needs a recent
# driver or leaves the machine code as it is.

set(DUOFORMER_CUDA "auto" CACHE STRING "CUDA kernels: on, off, or auto: where nvcc is found")
set_property(CACHE DUOFORMER_CUDA PROPERTY STRINGS auto on off)

set(CUDA_IMAGES ${CMAKE_BINARY_DIR}/cuda/images.cpp)
set(cuda_verdict "one without: it was configured with DUOFORMER_CUDA=off")
set(cuda_with OFF)
if(NOT DUOFORMER_CUDA STREQUAL "off")
  find_program(DUOFORMER_NVCC nvcc HINTS $ENV{CUDA_PATH}/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
  if(DUOFORMER_NVCC)
    # ptxas and fatbinary are those of the same toolkit.
    file(REAL_PATH ${DUOFORMER_NVCC} nvcc_path)
    get_filename_component(cuda_bin ${nvcc_path} DIRECTORY)
    find_program(DUOFORMER_PTXAS ptxas HINTS ${cuda_bin})
    find_program(DUOFORMER_FATBINARY fatbinary HINTS ${cuda_bin})
  endif()
  if(DUOFORMER_NVCC AND DUOFORMER_PTXAS AND DUOFORMER_FATBINARY)
    execute_process(COMMAND ${DUOFORMER_NVCC} --version OUTPUT_VARIABLE nvcc_version)
    string(REGEX MATCH "release ([0-9.]+)" ignored "${nvcc_version}")
    set(cuda_with ON)
    set(cuda_verdict "kernels by nvcc ${CMAKE_MATCH_1} for sm_80, sm_90 and later")
  elseif(DUOFORMER_CUDA STREQUAL "on")
    message(FATAL_ERROR "duoformer: expected nvcc, ptxas and fatbinary for DUOFORMER_CUDA=on, got none on the PATH")
  else()
    set(cuda_verdict "one without: nvcc was not found when it was built")
  endif()
endif()
message(STATUS "duoformer: CUDA: ${cuda_verdict}")

set(cuda_labels "")
set(cuda_rows "")
set(cuda_fatbins "")
if(cuda_with)
  file(GLOB CUDA_KERNELS CONFIGURE_DEPENDS native/cuda/kernels/*.cu)
  file(GLOB CUDA_HEADERS CONFIGURE_DEPENDS native/cuda/kernels/*.cuh native/cuda/kernels/*.h)
  foreach(source ${CUDA_KERNELS})
    get_filename_component(family ${source} NAME_WE)
    set(base ${CMAKE_BINARY_DIR}/cuda/${family})
    add_custom_command(OUTPUT ${base}.fatbin.z
      COMMAND ${DUOFORMER_NVCC} -ptx -arch=compute_80 -std=c++17 -O3 -I ${CMAKE_SOURCE_DIR}/native ${source} -o ${base}.nvcc.ptx
      COMMAND ${CMAKE_COMMAND} -DFROM=${base}.nvcc.ptx -DTO=${base}.ptx -P ${CMAKE_SOURCE_DIR}/native/cuda/ptx_version.cmake
      # Registers, spills and shared memory of every kernel, which the benchmark of kernels reads.
      COMMAND ${DUOFORMER_PTXAS} -v -arch=sm_80 ${base}.ptx -o ${base}.sm_80.cubin > ${base}.sm_80.txt 2>&1
      COMMAND ${DUOFORMER_PTXAS} -v -arch=sm_90 ${base}.ptx -o ${base}.sm_90.cubin > ${base}.sm_90.txt 2>&1
      COMMAND ${DUOFORMER_FATBINARY} --create=${base}.fatbin -64 --compress=false
        --image3=kind=elf,sm=80,file=${base}.sm_80.cubin --image3=kind=elf,sm=90,file=${base}.sm_90.cubin
        --image3=kind=ptx,sm=80,file=${base}.ptx
      COMMAND node ${CMAKE_SOURCE_DIR}/native/tools/deflate.mjs ${base}.fatbin ${base}.fatbin.z
      DEPENDS ${source} ${CUDA_HEADERS} ${CMAKE_SOURCE_DIR}/native/cuda/ptx_version.cmake
        ${CMAKE_SOURCE_DIR}/native/tools/deflate.mjs
      COMMENT "CUDA kernels: ${family}" VERBATIM)
    list(APPEND cuda_fatbins ${base}.fatbin.z)
    string(APPEND cuda_labels "DUO_IMAGE(${family}, \"${base}.fatbin.z\")\n")
    string(APPEND cuda_rows "    {\"${family}\", {duoImage_${family}, size_t(duoImageEnd_${family} - duoImage_${family})}},\n")
  endforeach()
endif()
configure_file(native/cuda/images.cpp.in ${CUDA_IMAGES} @ONLY)
set_source_files_properties(${CUDA_IMAGES} PROPERTIES OBJECT_DEPENDS "${cuda_fatbins}")
