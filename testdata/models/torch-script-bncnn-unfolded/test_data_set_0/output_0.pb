
BoutputJxc_6ÀxXù¿& ö¿@s®¿ÓzZÀ%tEÀ/6mÀÎidÀå=»¿J{WÀ Ã1À÷Ùü¿ž˜ó¿ÈD·¿ORÀÎ’CÀÈàdÀŽSÀ4‘Â¿YúHÀê-ÀÍÿ¿ÆPô¿™'¯¿bdÀACÀÆkÀ1*WÀÚfÀ¿
RSÀ