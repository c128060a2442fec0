# The page that checks a receipt, as the server renders it.

receipt-title = { $title } – Quittung prüfen
receipt-link = Quittung prüfen
receipt-intro = Eine Quittung ist das unterschriebene Versprechen, dass ein Stimmzettel im öffentlichen Protokoll dieser Abstimmung steht. Diese Seite prüft sie in Ihrem Browser anhand des veröffentlichten Protokolls. Die Quittung wird niemandem geschickt; nur die Nummer ihres Stimmzettels und ihre Zufallszahl, um ihren Eintrag zu finden.
receipt-no-script = Diese Seite braucht JavaScript, denn Ihr Browser prüft selbst.
receipt-none = Diese Abstimmung gibt keine Quittungen und hat kein öffentliches Protokoll.
receipt-paste = Quittung einfügen
receipt-file = Oder Datei auswählen
receipt-button = Prüfen
