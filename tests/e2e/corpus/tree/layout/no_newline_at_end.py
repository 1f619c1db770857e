def bom_second(x):
  if x == "bom one":
         return "bom two"
  x("bom three", \
"bom four")
    

  return (x

)