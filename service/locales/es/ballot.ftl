# The ballot page, as the server renders it.

opens-word = Apertura:
opens-label = Tiempo hasta que se abra la votación
opens-undecided = La hora de apertura aún no está decidida.
not-started = La votación no ha comenzado
shows-itself = Esta página mostrará la papeleta por sí sola cuando se abra la votación.
reload-without-script = Sin JavaScript, vuelva a cargarla entonces.
closed-word = Cierre:
vote-not-kept = En esta votación ya no se guarda qué voto llegó de qué navegador.
vote-unknown = Su voto no se conoce en este momento
vote-unknown-words = El servicio no puede ver en este momento si usted ha votado. Un voto aceptado está a salvo.
vote-asking = Esta página volverá a preguntar por sí sola.
reload-soon = Vuelva a cargar esta página en un momento.
chose-none = Usted no eligió ninguna de las opciones
voted-for = Usted votó por
note-code-again = Su voto cuenta una vez. Para cambiarlo, vuelva a escribir su código abajo.
no-cookie-note = Este navegador no guarda cookies, así que esta página no podrá mostrar su voto de nuevo cuando la deje. El voto permanece: no hace falta votar otra vez.
forget = Otra persona vota en este dispositivo
forget-note = Entonces esta página ya no muestra su voto. El voto en sí permanece.
code-label = Su código de votación
code-hint = Venía con su invitación y cuenta una vez.
remember = Recordarme en este dispositivo, para que pueda cambiar mi voto sin el código. No en un dispositivo que usan otras personas.
policy-code-replace = Puede cambiar su voto con el mismo código hasta que se cierre la votación.
policy-replace = Puede cambiar su voto hasta que se cierre la votación.
policy-keep = Su primer voto es el que vale: no puede cambiarlo.
choose-one-or-none = Elija una opción, o ninguna
choose-one = Elija una opción
choose-exactly = Elija exactamente { $max }
choose-up-to-or-none = Elija hasta { $max }, o ninguna
choose-up-to = Elija hasta { $max }
choose-range = Elija de { $min } a { $max }
preview-words =
    { $state }. { $choose } ({ $options ->
        [one] { $options } opción
       *[other] { $options } opciones
    }).
preview-state = { $state }.
needs-script = Esta votación necesita JavaScript: antes de aceptar un voto tiene que comprobar que ningún programa vote muchas veces. Active JavaScript para esta página o use otro navegador.
abstain = Ninguna de estas
stop = Dejar de intentarlo
secrecy-secret = Quienes organizan esta votación pueden averiguar quién eligió qué, hasta que la archiven. Entonces queda sellada y ya nadie puede.
secrecy-open = Quienes organizan esta votación pueden averiguar quién eligió qué.
no-cookies = Este navegador no guarda cookies. Su voto cuenta igualmente, una vez; pero esta página no podrá mostrarlo cuando vuelva.
will-choose = Usted elegirá entre
receipt-check = Comprobar que su voto está en el registro público
receipt-save = Guardar el recibo
receipt-qr = Mostrar el recibo como código QR
receipt-qr-words = Escanéelo con otro dispositivo para comprobar o guardar allí el recibo. Quien tenga el recibo ve su elección. El número de abajo es el nombre de su papeleta en el registro público.
receipt-qr-alt = Código QR de su recibo y nombre de su papeleta en el registro público
see-results = Ver los resultados
ballot-foot = Cada votante cuenta una vez. Una cookie, si este navegador la guarda, recuerda el voto.
without-script-always = Su voto no está guardado. Antes de aceptar un voto, esta votación tiene que comprobar que ningún programa vote muchas veces, y para eso hace falta JavaScript. Active JavaScript para esta página, o use otro navegador, y vote de nuevo.
without-script-busy = Su voto no está guardado. En este momento llegan muchísimos votantes nuevos, así que el servicio tiene que comprobar que ningún programa vote muchas veces, y para eso hace falta JavaScript. Active JavaScript para esta página, o use otro navegador, y vote de nuevo. Sin JavaScript, inténtelo otra vez dentro de unos minutos.
