
B
Identity:0JxµZ6À½`ù¿‚&ö¿§}®¿faZÀkfEÀ¦!mÀŒUdÀ’H»¿ØcWÀ…Á1À¨áü¿U¡ó¿GO·¿Î7RÀ¬…CÀPÎdÀ €SÀšÂ¿èHÀr-ÀÌÒÿ¿(Xô¿3¯¿¤îcÀ’3CÀ±kÀPWÀ`pÀ¿H<SÀ