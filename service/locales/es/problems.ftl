# Titles and details of problems. A detail is the rest of a sentence: it begins in lower case and has no full stop.

problem-already-voted = Usted ya ha votado
problem-bad-code = Código no reconocido
problem-challenge-required = Falta un paso más
problem-code-used = Este código ya se ha usado
problem-cross-site = No desde este sitio
problem-idempotency-key-reused = Idempotency-Key ya usada
problem-invalid-choice = Elección no válida
problem-malformed = Solicitud mal formada
problem-method-not-allowed = Método no permitido
problem-not-found = No encontrado
problem-no-receipt = No hay recibo
problem-not-open = La votación no está abierta
problem-results-hidden = Los resultados están ocultos
problem-too-large = Demasiado grande
problem-too-many-new-voters = Demasiados votantes nuevos
problem-too-many-wrong-codes = Demasiados códigos erróneos
problem-too-slow = Demasiado lento
problem-unavailable = Inténtelo de nuevo en un momento
problem-unknown-poll = Votación desconocida
problem-unsupported-media = Tipo de medio no admitido
detail-nothing-here = no hay nada en esta dirección
detail-no-poll = no hay ninguna votación «{ $slug }»
detail-too-large = una solicitud puede contener { $bytes } bytes como máximo
detail-method = esta dirección no acepta este método
detail-form = la solicitud no tiene la forma que espera esta dirección
detail-polls-unknown = las votaciones aún no se conocen
detail-poll-unknown = la votación aún no se conoce
detail-too-many-followers = muchísimas páginas siguen esta votación; esta página pregunta en cambio de vez en cuando
detail-mark-or-abstain = marque primero una opción, o pulse el botón para no elegir ninguna
detail-code-of-screen = ninguna votación tiene el código «{ $code }»; mire otra vez la pantalla y escriba sus letras, mayúsculas o minúsculas; no tiene cifras ni vocales
detail-not-safe = en este momento no se pueden guardar papeletas de forma segura
detail-no-storing = en este momento no se pueden guardar papeletas
detail-full = demasiadas papeletas esperan a ser contadas
detail-no-receipts = esta votación no da recibos
detail-receipt-unknown = por el momento no se sabe si hay un voto de este navegador; inténtelo de nuevo pronto
detail-no-vote-here = no hay ningún voto de este navegador en esta votación
detail-token = la ficha de votación no se puede usar: { $reason ->
        [expired] ha caducado
        [forged] este servicio no la firmó para este uso
       *[other] está mal formada
    }; vuelva a cargar la página y vote otra vez
detail-cookie = la cookie no se puede usar: { $reason ->
        [expired] ha caducado
        [forged] este servicio no la firmó para este uso
       *[other] está mal formada
    }; se ha eliminado, vuelva a cargar la página y vote otra vez
detail-not-stored = no se pudo guardar su voto; inténtelo otra vez: nunca se cuenta dos veces
detail-being-set-up = esta votación se está preparando; inténtelo de nuevo en un momento
detail-key-reused = esta Idempotency-Key ya llegó con otra elección; use una nueva para una papeleta nueva
detail-cross-site = esta papeleta llegó desde una página de otro sitio; ábrala en su propio sitio y vote allí
detail-needs-token = una página de otro sitio debe enviar la ficha de votación que devuelve GET /api/polls/{ "{" }slug{ "}" }
detail-too-many-voters = su voto aún no está guardado: llegan muchísimos votantes nuevos desde su red, y podrá traer al siguiente en unos { $seconds } s
detail-too-many-voters-closing = su voto aún no está guardado: llegan muchísimos votantes nuevos desde su red, y podrá traer al siguiente en unos { $seconds } s; la votación se cierra antes, en { $left } s
detail-stands = su voto por { $labels } vale
detail-stands-none = su papeleta, que no elige ninguna de las opciones, vale
detail-not-opened = esta votación aún no está abierta; vote cuando lo esté
detail-has-closed = esta votación se ha cerrado, así que esta papeleta no cuenta
detail-takes-none = esta votación no acepta papeletas ahora
detail-media-type = envíe la papeleta como { $type }
detail-challenge = su voto aún no está guardado: los votantes nuevos tienen que resolver primero un reto; resuelva el de esta respuesta y envíe otra vez la misma papeleta, como el mismo votante, con la solución
detail-challenge-wrong = su voto aún no está guardado: la solución del reto no se aceptó ({ $reason }); resuelva el de esta respuesta y envíe otra vez la misma papeleta, como el mismo votante, con la solución
detail-unchecked = su voto aún no está guardado: en este momento no se puede comprobar que usted es una persona; inténtelo de nuevo en { $seconds } s
detail-bad-code = no se reconoce este código; compárelo con su invitación, letra por letra: XXXX-XXXX-XXXX-XXXX
detail-no-code = escriba su código de votación, de la forma XXXX-XXXX-XXXX-XXXX; venía con su invitación
detail-code-again = escriba otra vez su código de votación para cambiar su voto
detail-code-used = este código ya se ha usado y su papeleta está guardada; solo el navegador que la envió muestra lo elegido
detail-wrong-codes = llegan muchísimos códigos de votación erróneos desde su red; revise el código e inténtelo de nuevo en un minuto
detail-ended-early = la solicitud terminó demasiado pronto
detail-too-slow = la solicitud no llegó en { $ms } ms; envíela otra vez
detail-choose-exactly = elija exactamente { $min }, no { $given }
detail-choose-range = elija de { $min } a { $max }, no { $given }
detail-no-option = «{ $name }» no es una opción; elija entre { $options }
detail-no-history = en este momento no se puede leer el historial
detail-no-account = en este momento no se puede leer la cuenta
detail-no-account-yet = la cuenta de esta votación todavía no se ha hecho
detail-no-picture = en este momento no se puede dibujar la imagen
detail-no-second = esta dirección no nombra ningún segundo; escriba uno como 2026-05-16T21:05:30Z
detail-second-to-come = este segundo aún no ha pasado
detail-log-too-long = este registro es demasiado largo para sumarlo en una página; quienes organizan esta votación pueden preguntar a `votectl poll at { $poll }`, y cualquiera puede sumarlo con `votectl verify`
detail-no-log = esta votación no tiene registro público y sus votantes no reciben recibos
detail-log-away = el registro público no se puede leer en este momento
detail-log-wrong = el registro público no se puede sumar: una entrada no se puede leer o contradice a las anteriores; dígaselo a quienes organizan esta votación
detail-log-deleted = las entradas de este registro se borraron cuando se selló la votación o se eliminaron sus votos; quedan sus resúmenes criptográficos y puntos de control
detail-too-many-viewers = muchísimas personas están mirando; esta página lo intenta de nuevo por sí sola
detail-results-hidden = los resultados de esta votación no se muestran ahora
