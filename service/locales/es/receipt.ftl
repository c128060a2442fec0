# The page that checks a receipt, as the server renders it.

receipt-title = { $title } – comprobar un recibo
receipt-link = Comprobar su recibo
receipt-intro = Un recibo es la promesa firmada de que una papeleta está en el registro público de esta votación. Esta página lo comprueba en su navegador, con el registro publicado. El recibo no se envía a nadie; solo el número de su papeleta y su número aleatorio, para encontrar su entrada.
receipt-no-script = Esta página necesita JavaScript, porque es su navegador el que comprueba.
receipt-none = Esta votación no da recibos y no tiene registro público.
receipt-paste = Pegue el recibo
receipt-file = O elija el archivo
receipt-button = Comprobar
